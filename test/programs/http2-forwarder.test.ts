import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { http2Forwarder } from "./http2-forwarder.ts";

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** A client of Node's, our forwarder, and a server of Node's. */
const forwarded = async (onStream: OnStream): Promise<ClientHttp2Session> => {
  const server = createServer();
  const sessions = new Set<{ destroy: () => void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    onStream(stream, headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const forwarder = http2Forwarder((server.address() as AddressInfo).port);
  forwarder.listen(0, "127.0.0.1");
  await once(forwarder, "listening");
  const client = connect(`http://127.0.0.1:${(forwarder.address() as AddressInfo).port}`);
  client.on("error", () => undefined);
  onTestFinished(() => {
    client.destroy();
    for (const session of sessions) session.destroy();
    server.close();
    forwarder.close();
  });
  return client;
};

test("heads, bodies both ways and trailers arrive as they were sent", async () => {
  const seen = vi.fn<(headers: IncomingHttpHeaders) => void>();
  const client = await forwarded((stream, headers) => {
    seen(headers);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.pipe(stream);
  });
  const request = client.request({ ":method": "POST", ":path": "/shop.Cart/Get", te: "trailers" });
  const [answered, trailed] = [once(request, "response"), once(request, "trailers")];
  request.end("message");
  let text = "";
  request.on("data", (chunk: Buffer) => (text += chunk.toString()));
  expect((await answered)[0]).toMatchObject({ ":status": 200, "content-type": "application/grpc" });
  expect((await trailed)[0]).toMatchObject({ "grpc-status": "0" });
  expect(text).toBe("message");
  expect(seen.mock.calls[0]?.[0]).toMatchObject({ ":method": "POST", ":path": "/shop.Cart/Get", te: "trailers" });
});

test("streams are balanced by themselves: those of one connection do not wait for each other", async () => {
  const client = await forwarded((stream, headers) => {
    if (headers[":path"] === "/never") return;
    stream.respond({ ":status": 200 }, { endStream: true });
  });
  client.request({ ":path": "/never" }).on("error", () => undefined);
  const [headers] = (await once(client.request({ ":path": "/now" }), "response")) as [IncomingHttpHeaders];
  expect(headers[":status"]).toBe(200);
});

test("a reset of either side is a reset for the other, with its code", async () => {
  const codes: (number | undefined)[] = [];
  const client = await forwarded((stream, headers) => {
    stream.once("close", () => codes.push(stream.rstCode));
    if (headers[":path"] === "/server") stream.close(7);
    else stream.respond({ ":status": 200 });
  });
  const refused = client.request({ ":path": "/server" });
  refused.on("error", () => undefined);
  await new Promise((resolve) => {
    refused.once("close", resolve);
  });
  expect(refused.rstCode).toBe(7);
  const given = client.request({ ":path": "/client" });
  given.on("error", () => undefined);
  await once(given, "response");
  given.close(8);
  await vi.waitFor(() => expect(codes).toEqual([7, 8]));
});

test("a client that does not read stops the server", async () => {
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const client = await forwarded((stream) => {
    stream.respond({ ":status": 200 });
    const fill = (): void => {
      while (stream.write(chunk)) sent += chunk.length;
      sent += chunk.length;
      stream.once("drain", fill);
    };
    fill();
  });
  const request = client.request({ ":path": "/" });
  await once(request, "response");
  let before = -1;
  await vi.waitFor(
    () => {
      const isStill = sent === before;
      before = sent;
      expect(isStill).toBe(true);
    },
    { interval: 300, timeout: 4_000 },
  );
  // Windows of three connections, and no more.
  expect(sent).toBeLessThan(8 * 1024 * 1024);
  request.close();
});
