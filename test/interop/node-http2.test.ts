import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type ServerHttp2Stream,
} from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import type { Http2Stream } from "#wire/http2/stream.ts";
import { ask, fields, listening, type OwnServer, ownClient, ownServer, request, valueOf } from "./http2-peers.ts";

// The other side is Node.js, that is nghttp2.

const BIG = 5_000_000;
const pattern = (length: number): Buffer => Buffer.alloc(length, "0123456789abcdef");
const bodyOf = async (stream: ClientHttp2Stream): Promise<Buffer> =>
  Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>));

const session = ({ port }: OwnServer, options = {}): ClientHttp2Session => {
  const own = connect(`http://127.0.0.1:${port}`, options);
  own.on("error", () => undefined);
  onTestFinished(() => own.destroy());
  return own;
};

/** Says everything back, as fast as it is taken. */
const echo = (stream: Http2Stream) => {
  let waiting = 0;
  stream.sendHead(fields([[":status", "200"]]), false);
  return {
    data: (bytes: Uint8Array) => {
      if (stream.write(bytes)) stream.consumed(bytes.length);
      else waiting += bytes.length;
    },
    writable: () => {
      stream.consumed(waiting);
      waiting = 0;
    },
    end: () => stream.end(fields([["x-trailer", "last"]])),
  };
};

describe("our server and their client", () => {
  test("a request is answered with head, body and trailers", async () => {
    await using server = await ownServer((stream, { method, path, authority, section }) => ({
      end: () => {
        stream.sendHead(
          fields([
            [":status", "201"],
            ["x-saw", `${method} ${path} ${authority} ${valueOf(section, "x-a")}`],
          ]),
          false,
        );
        stream.write(Buffer.from("hello"));
        stream.end(fields([["x-trailer", "last"]]));
      },
    }));
    const stream = session(server).request({ ":path": "/a?b=c", ":authority": "shop", "x-a": "b" });
    const trailers = once(stream, "trailers");
    const [head] = (await once(stream, "response")) as [Record<string, unknown>];
    expect([head[":status"], head["x-saw"]]).toEqual([201, "GET /a?b=c shop b"]);
    expect(String(await bodyOf(stream))).toBe("hello");
    expect((await trailers)[0]).toMatchObject({ "x-trailer": "last" });
  });

  test("bodies go both ways at once, through windows that they fill many times", async () => {
    await using server = await ownServer(echo);
    // In MB: four bodies are more than Node.js lets a session hold by default.
    const own = session(server, { maxSessionMemory: 100 });
    const sent = pattern(BIG);
    const got = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const stream = own.request({ ":method": "POST", ":path": "/" });
        stream.end(sent);
        return bodyOf(stream);
      }),
    );
    expect(got.every((body) => body.equals(sent))).toBe(true);
    expect(server.transports[0]?.connection.openStreams).toBe(0);
  });

  test("a client that does not read stops what is sent to it, and what waits is what was written", async () => {
    const streams: Http2Stream[] = [];
    await using server = await ownServer((stream) => {
      streams.push(stream);
      stream.sendHead(fields([[":status", "200"]]), false);
      stream.write(pattern(BIG));
      stream.end();
      return {};
    });
    const own = session(server);
    const [slow, fast] = [own.request({ ":path": "/slow" }), own.request({ ":path": "/fast" })];
    expect((await bodyOf(fast)).length).toBe(BIG);
    expect(streams[0]?.queuedBytes).toBe(BIG - 65_535);
    expect((await bodyOf(slow)).length).toBe(BIG);
  });

  test("informational heads come before the final one", async () => {
    await using server = await ownServer((stream) => {
      stream.sendHead(
        fields([
          [":status", "103"],
          ["link", "</a>"],
        ]),
        false,
      );
      stream.sendHead(fields([[":status", "204"]]), true);
      return {};
    });
    const stream = session(server).request({ ":path": "/" });
    const informational = once(stream, "headers");
    const [head] = (await once(stream, "response")) as [Record<string, unknown>];
    expect([(await informational)[0][":status"], head[":status"]]).toEqual([103, 204]);
  });

  test("resets of either side arrive with their code, and leave the connection", async () => {
    const resets: number[] = [];
    const asked = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    await using server = await ownServer((stream, { path }) => {
      if (path === "/ours") stream.reset(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      else asked.resolve();
      return {
        reset: (code) => {
          resets.push(code);
          told.resolve();
        },
      };
    });
    const own = session(server);
    const ours = own.request({ ":path": "/ours" });
    ours.on("error", () => undefined);
    await new Promise((resolve) => ours.on("close", resolve));
    expect(ours.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    const theirs = own.request({ ":method": "POST", ":path": "/theirs" });
    theirs.on("error", () => undefined);
    await asked.promise;
    theirs.close(constants.NGHTTP2_CANCEL);
    await told.promise;
    expect([resets, own.destroyed]).toEqual([[constants.NGHTTP2_CANCEL], false]);
  });

  test("a drain lets open streams finish and closes the connection", async () => {
    const streams: Http2Stream[] = [];
    await using server = await ownServer((stream) => {
      streams.push(stream);
      stream.sendHead(fields([[":status", "200"]]), false);
      return {};
    });
    const own = session(server);
    const stream = own.request({ ":path": "/" });
    await once(stream, "response");
    const goneAway = once(own, "goaway");
    server.transports[0]?.drain();
    await goneAway;
    streams[0]?.write(Buffer.from("still here"));
    streams[0]?.end();
    const closed = once(own, "close");
    expect(String(await bodyOf(stream))).toBe("still here");
    await closed;
  });

  test("CONNECT makes a tunnel", async () => {
    await using server = await ownServer((stream, { method, authority, path }) => {
      expect([method, authority, path]).toEqual(["CONNECT", "10.0.0.1:80", undefined]);
      return echoWithoutTrailers(stream);
    });
    const stream = session(server).request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" }, { endStream: false });
    stream.write("ping");
    expect(String((await once(stream, "data"))[0])).toBe("ping");
    stream.end();
    await once(stream, "close");
  });

  test("extended CONNECT where it is allowed (RFC 8441)", async () => {
    const limits = {
      ...HTTP2_LIMITS.limits,
      settings: { ...HTTP2_LIMITS.limits.settings, enableConnectProtocol: true },
    };
    await using server = await ownServer((stream, { protocol }) => {
      stream.sendHead(
        fields([
          [":status", "200"],
          ["x-protocol", protocol ?? ""],
        ]),
        true,
      );
      return {};
    }, limits);
    const own = session(server);
    await once(own, "remoteSettings");
    const stream = own.request(
      { ":method": "CONNECT", ":protocol": "websocket", ":path": "/", ":authority": "shop" },
      { endStream: true },
    );
    expect(((await once(stream, "response")) as [Record<string, unknown>])[0]["x-protocol"]).toBe("websocket");
  });
});

const echoWithoutTrailers = (stream: Http2Stream) => ({ ...echo(stream), end: () => stream.end() });

describe("our client and their server", () => {
  const theirs = async (
    onStream: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
  ): Promise<number> => {
    const server = createServer();
    const sessions = new Set<{ destroy(): void }>();
    server.on("session", (one) => sessions.add(one));
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      stream.on("error", () => undefined);
      onStream(stream, headers);
    });
    onTestFinished(() => {
      for (const one of sessions) one.destroy();
      server.close();
    });
    return listening(server);
  };

  test("a request is answered with informational head, head, body and trailers", async () => {
    const port = await theirs((stream, headers) => {
      stream.additionalHeaders({ ":status": 103, link: "</a>" });
      stream.respond(
        { ":status": 202, "x-saw": `${String(headers[":method"])} ${String(headers[":path"])}` },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end("hello");
    });
    using client = await ownClient(port);
    const answer = ask(client, request("GET", "/a?b"), undefined);
    await answer.done;
    expect(answer.heads.map(({ status }) => status)).toEqual([103, 202]);
    expect([
      valueOf(answer.heads[1]?.section, "x-saw"),
      String(answer.body),
      valueOf(answer.trailers, "grpc-status"),
    ]).toEqual(["GET /a?b", "hello", "0"]);
  });

  test("bodies go both ways at once, through windows that they fill many times", async () => {
    const port = await theirs((stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    });
    using client = await ownClient(port);
    const sent = pattern(BIG);
    const answers = Array.from({ length: 4 }, () => ask(client, request("POST", "/"), sent));
    await Promise.all(answers.map(({ done }) => done));
    expect(answers.every(({ body }) => body.equals(sent))).toBe(true);
    expect(client.transport.connection.openStreams).toBe(0);
  });

  test("an answer that nobody reads stops at its window, and holds up no other", async () => {
    let written: ServerHttp2Stream | undefined;
    const port = await theirs((stream, headers) => {
      stream.respond({ ":status": 200 });
      if (headers[":path"] === "/slow") written = stream;
      stream.end(pattern(BIG));
    });
    using client = await ownClient(port);
    const slow = ask(client, request("GET", "/slow"), undefined, false);
    const fast = ask(client, request("GET", "/fast"), undefined);
    await fast.done;
    expect([fast.body.length, slow.stream.state]).toEqual([BIG, "half-closed-local"]);
    expect(written?.writableFinished).toBe(false);
    slow.stream.reset(constants.NGHTTP2_CANCEL);
    const another = ask(client, request("GET", "/fast"), undefined);
    await another.done;
    expect(another.body.length).toBe(BIG);
  });

  test("answers to HEAD speak of content that is not there", async () => {
    const port = await theirs((stream) => {
      stream.respond({ ":status": 200, "content-length": "5" });
      stream.end();
    });
    using client = await ownClient(port);
    const answer = ask(client, request("HEAD", "/"), undefined);
    await answer.done;
    expect([answer.reset, answer.heads[0]?.contentLength]).toEqual([undefined, 5]);
  });

  test("resets of either side arrive with their code", async () => {
    const theirCode = Promise.withResolvers<number>();
    const port = await theirs((stream, headers) => {
      if (headers[":path"] === "/theirs") stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else {
        stream.respond({ ":status": 200 });
        stream.on("close", () => theirCode.resolve(stream.rstCode ?? 0));
      }
    });
    using client = await ownClient(port);
    const theirsAnswer = ask(client, request("GET", "/theirs"), undefined);
    await theirsAnswer.done;
    expect(theirsAnswer.reset).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    const ours = ask(client, request("GET", "/ours"), undefined);
    await ours.answered;
    ours.stream.reset(constants.NGHTTP2_CANCEL);
    expect(await theirCode.promise).toBe(constants.NGHTTP2_CANCEL);
  });

  test("after their GOAWAY open streams finish, and then the connection closes", async () => {
    const port = await theirs((stream) => {
      stream.respond({ ":status": 200 });
      stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
      setImmediate(() => stream.end("still here"));
    });
    using client = await ownClient(port);
    const answer = ask(client, request("GET", "/"), undefined);
    await answer.done;
    expect([String(answer.body), client.goAways, client.transport.connection.room]).toEqual(["still here", [1], 0]);
    await client.closed;
  });

  test("CONNECT makes a tunnel", async () => {
    const port = await theirs((stream, headers) => {
      expect(headers[":authority"]).toBe("10.0.0.1:80");
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    });
    using client = await ownClient(port);
    const tunnel = ask(
      client,
      [
        [":method", "CONNECT"],
        [":authority", "10.0.0.1:80"],
      ],
      Buffer.from("ping"),
    );
    await tunnel.done;
    expect(String(tunnel.body)).toBe("ping");
  });
});
