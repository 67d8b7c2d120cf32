import { expect, onTestFinished, test, vi } from "vitest";
import { NO_CONTENT } from "#wire/http1/framing.ts";
import type { ReceivedRequestHead } from "#wire/http1/head.ts";
import { FakeByteStream } from "../testing/fake-byte-stream.ts";
import { Http1ClientConnection } from "./http1-client-connection.ts";
import { HTTP1_CLIENT_SETTINGS, HTTP1_SERVER_SETTINGS } from "./http1-limits.ts";
import { Http1ServerConnection } from "./http1-server-connection.ts";
import type { Http1ServerStream } from "./http1-stream.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const IGNORING = { data: () => undefined, end: () => undefined, writable: () => undefined, reset: () => undefined };
const REFUSED = { status: 404, reason: "", version: "1.1", fields: [], framing: NO_CONTENT } as const;

/** A connection of a client whose bytes are somebody else's after each call. */
const served = async () => {
  const below = new FakeByteStream();
  const heads: ReceivedRequestHead[] = [];
  const streams: Http1ServerStream[] = [];
  const connection = new Http1ServerConnection(below, HTTP1_SERVER_SETTINGS, {
    request: (stream, head) => {
      heads.push(head);
      streams.push(stream);
      return IGNORING;
    },
    refused: ({ message }) => expect.fail(message),
    closed: () => undefined,
  });
  await turn();
  return { below, heads, streams, connection };
};

test("a request that waits for its turn is not changed by what is read meanwhile", async () => {
  const { below, heads, streams } = await served();
  const next = "GET /next HTTP/1.1\r\nHost: b.example\r\n\r\n";
  below.receive(`GET /first HTTP/1.1\r\nHost: a.example\r\n\r\n${next.slice(0, 10)}`);
  below.receive(next.slice(10));
  expect(heads.length).toBe(1);
  streams[0]?.sendHead(REFUSED);
  streams[0]?.end();
  expect(heads[1]?.target).toBe("/next");
  expect(heads[1]?.fields).toMatchObject([{ name: "Host", value: "b.example" }]);
});

test("a head goes on as it came also when its bytes are gone", async () => {
  const { below, heads } = await served();
  const request = "GET /later HTTP/1.1\r\nHost: a.example\r\n\r\n";
  below.receive(request);
  const upstream = new FakeByteStream();
  const client = new Http1ClientConnection(upstream, HTTP1_CLIENT_SETTINGS, {
    idle: () => undefined,
    closed: () => undefined,
  });
  await turn();
  const [head] = heads;
  if (!head) throw new Error("no request");
  client.forward(head, [], () => ({ ...IGNORING, informational: () => undefined, head: () => undefined }));
  await turn();
  expect(upstream.written).toBe(request);
});

test("requests that wait in one piece are copied once, however many they are", async () => {
  const { below, heads, streams } = await served();
  const requests = Array.from(
    { length: 500 },
    (_, number) => `GET /${number} HTTP/1.1\r\nHost: a.example\r\n\r\n`,
  ).join("");
  const copies = vi.spyOn(Buffer, "from");
  onTestFinished(() => copies.mockRestore());
  below.receive(requests);
  for (let answered = 0; answered < 500; answered++) {
    streams[answered]?.sendHead(REFUSED);
    streams[answered]?.end();
    if (heads.length === answered + 1) await turn();
  }
  expect(heads.map(({ target }) => target)).toEqual(Array.from({ length: 500 }, (_, number) => `/${number}`));
  const copied = copies.mock.calls.reduce((sum, [from]) => sum + (from instanceof Uint8Array ? from.length : 0), 0);
  expect(copied).toBeLessThan(3 * requests.length);
});
