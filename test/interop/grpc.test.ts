import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import type { Http2Stream } from "#wire/http2/stream.ts";
import { fields, type OwnServer, ownServer, valueOf } from "./http2-peers.ts";

// The client is @grpc/grpc-js; our answers are made by hand (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

const asBytes = (bytes: Buffer): Buffer => bytes;

/** Compressed-Flag 8, Message-Length 32, message. */
const message = (text: string): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(text.length, 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
};

const HEAD = [
  [":status", "200"],
  ["content-type", "application/grpc"],
] as const;

const clientOf = ({ port }: OwnServer): Client => {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  return client;
};

const call = async (client: Client, path: string, text: string): Promise<string | ServiceError> => {
  const { promise, resolve } = Promise.withResolvers<string | ServiceError>();
  const metadata = new Metadata();
  metadata.set("x-a", "b");
  client.makeUnaryRequest(path, asBytes, asBytes, Buffer.from(text), metadata, (error, value) =>
    resolve(error ?? String(value)),
  );
  return promise;
};

const answering = (stream: Http2Stream, answer: (body: Buffer) => void) => {
  const pieces: Uint8Array[] = [];
  return {
    data: (bytes: Uint8Array) => {
      pieces.push(Buffer.from(bytes));
      stream.consumed(bytes.length);
    },
    end: () => answer(Buffer.concat(pieces)),
  };
};

test("a call is answered with a message, and grpc-status in the trailers", async () => {
  const sections: (string | undefined)[] = [];
  await using server = await ownServer((stream, { path, section }) => {
    sections.push(path, valueOf(section, "te"), valueOf(section, "x-a"));
    return answering(stream, (body) => {
      stream.sendHead(fields(HEAD), false);
      stream.write(message(`you said ${body.subarray(5).toString()}`));
      stream.end(fields([["grpc-status", "0"]]));
    });
  });
  expect(await call(clientOf(server), "/shop.Cart/Add", "hello")).toBe("you said hello");
  expect(sections).toEqual(["/shop.Cart/Add", "trailers", "b"]);
});

test("a call fails with the status and words of the trailers, after a message and without one", async () => {
  await using server = await ownServer((stream, { path }) =>
    answering(stream, () => {
      const trailers = [
        ["grpc-status", String(status.NOT_FOUND)],
        ["grpc-message", "no%20cart"],
      ] as const;
      if (path === "/trailers/Only") return stream.sendHead(fields([...HEAD, ...trailers]), true);
      stream.sendHead(fields(HEAD), false);
      return stream.end(fields(trailers));
    }),
  );
  const client = clientOf(server);
  for (const path of ["/trailers/Only", "/trailers/AfterHead"]) {
    expect(await call(client, path, "x")).toMatchObject({ code: status.NOT_FOUND, details: "no cart" });
  }
});

test("many calls on one connection, and a stream of messages both ways", async () => {
  await using server = await ownServer((stream, { path }) => {
    stream.sendHead(fields(HEAD), false);
    if (path === "/shop.Cart/Add") {
      return answering(stream, (body) => {
        stream.write(message(body.subarray(5).toString()));
        stream.end(fields([["grpc-status", "0"]]));
      });
    }
    return {
      data: (bytes) => {
        stream.write(bytes);
        stream.consumed(bytes.length);
      },
      end: () => stream.end(fields([["grpc-status", "0"]])),
    };
  });
  const client = clientOf(server);
  const texts = Array.from({ length: 200 }, (_, index) => `${index}`);
  expect(await Promise.all(texts.map((text) => call(client, "/shop.Cart/Add", text)))).toEqual(texts);
  const chat = client.makeBidiStreamRequest("/shop.Cart/Chat", asBytes, asBytes);
  const got: number[] = [];
  chat.on("data", (bytes: Buffer) => got.push(bytes.length));
  const ended = new Promise<number>((resolve) => chat.on("status", ({ code }) => resolve(code)));
  for (let length = 0; length < 300_000; length += 30_000) chat.write(Buffer.alloc(length));
  chat.end();
  expect(await ended).toBe(status.OK);
  expect(got).toEqual(Array.from({ length: 10 }, (_, index) => index * 30_000));
  expect(server.transports.length).toBe(1);
});

test("a call that is given up reaches the server as a reset", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const asked = Promise.withResolvers<void>();
  await using server = await ownServer(() => {
    asked.resolve();
    return { reset: (code) => resolve(code) };
  });
  const done = Promise.withResolvers<ServiceError | null>();
  const one = clientOf(server).makeUnaryRequest("/a/B", asBytes, asBytes, Buffer.from("x"), done.resolve);
  await asked.promise;
  one.cancel();
  expect(await promise).toBe(8);
  expect(await done.promise).toMatchObject({ code: status.CANCELLED });
});

test("a call that the server refuses is tried again on another stream", async () => {
  let refused = 0;
  await using server = await ownServer((stream) => {
    if (refused++ === 0) {
      stream.reset(7);
      return {};
    }
    return answering(stream, () => {
      stream.sendHead(fields(HEAD), false);
      stream.write(message("second"));
      stream.end(fields([["grpc-status", "0"]]));
    });
  });
  expect(await call(clientOf(server), "/a/B", "x")).toBe("second");
});
