import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { HTTP1_CLIENT_SETTINGS } from "../transport/http1-limits.ts";
import { httpRequest } from "../testing/fake-http.ts";
import { loopbackPair } from "../testing/loopback.ts";
import { Http1Client } from "./http1-client.ts";
import type { HttpResponseReader, HttpWriter } from "./message.ts";

const UNCHANGED = { remove: new Set<string>(), add: [] };
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A client, and the server's end of its connection. */
const connected = async (hasEnded?: () => boolean) => {
  const [near, far] = await loopbackPair();
  const handler = { idle: vi.fn<() => void>(), leaving: vi.fn<() => void>(), closed: vi.fn<() => void>() };
  const client = new Http1Client(near, HTTP1_CLIENT_SETTINGS, handler, hasEnded);
  near.resume();
  let seen = "";
  far.on("data", (bytes: Buffer) => (seen += bytes.toString("latin1")));
  return { client, near, far, handler, seen: () => seen };
};

/** Sends a request. @returns its writer, and what was told of it */
const ask = (client: Http1Client): { readonly writer: HttpWriter; readonly told: string[] } => {
  const told: string[] = [];
  const reader: HttpResponseReader = {
    informational: ({ status }) => void told.push(String(status)),
    head: ({ status }) => void told.push(String(status)),
    data: (bytes) => {
      told.push(Buffer.from(bytes).toString());
      writer.consumed(bytes.length);
    },
    end: () => void told.push("end"),
    writable: () => undefined,
    reset: ({ kind }) => void told.push(kind),
  };
  const writer = client.request(httpRequest(), UNCHANGED, reader);
  writer.end([]);
  return { writer, told };
};

/** One request and its answer: then the connection waits for another. */
const askedOnce = async (client: Http1Client, far: Socket, answer = ANSWER): Promise<void> => {
  const { told } = ask(client);
  await once(far, "data");
  far.write(answer);
  await vi.waitFor(() => expect(told).toEqual(["200", "ok", "end"]));
};

test.each<readonly [string, (far: Socket) => void]>([
  ["ends", (far) => void far.end()],
  ["is reset", (far) => void far.resetAndDestroy()],
  ["brings an answer that nobody asked for", (far) => void far.write("HTTP/1.1 408 Request Timeout\r\n\r\n")],
])("a request is unsent where its connection %s before a byte of it has left", async (_, act) => {
  const { client, far, seen } = await connected();
  await askedOnce(client, far);
  const before = seen();
  act(far);
  // The request is made when the end is in the kernel, and has not been read: not in the event loop's turn for sending.
  await new Promise<void>((resolve) => {
    setTimeout(() => setImmediate(resolve), 20);
  });
  if (client.room === 0) return expect(seen()).toBe(before);
  const { told } = ask(client);
  await vi.waitFor(() => expect(told).toEqual(["refused"]));
  expect(seen()).toBe(before);
});

test("a request in the same turn as its connection's end is unsent", async () => {
  const { client, near, far, seen } = await connected();
  await askedOnce(client, far);
  const before = seen();
  const { told, writer } = ask(client);
  expect(writer.isUnsent).toBe(true);
  near.emit("end");
  expect(told).toEqual(["refused"]);
  await turn();
  await turn();
  expect(seen()).toBe(before);
});

test("what the kernel knows of the server's end is asked before a request leaves a connection that was idle", async () => {
  let hasEnded = false;
  const { client, near, far, seen } = await connected(() => hasEnded);
  await askedOnce(client, far);
  // Longer than requests that follow one another at once wait.
  await new Promise((resolve) => {
    setTimeout(resolve, 30);
  });
  const before = seen();
  hasEnded = true;
  const { told } = ask(client);
  await vi.waitFor(() => expect(told).toEqual(["refused"]));
  expect([seen(), near.destroyed, client.room]).toEqual([before, true, 0]);
});

test("a request of which something has left is lost with its connection, and not unsent", async () => {
  const { client, far } = await connected();
  const { told, writer } = ask(client);
  await once(far, "data");
  expect(writer.isUnsent).toBe(false);
  far.end();
  await vi.waitFor(() => expect(told).toEqual(["protocol"]));
});

test("a server that says how long it will wait is not asked at the end of that time", async () => {
  const { client, far } = await connected();
  const answer = (ms: number) => `HTTP/1.1 200 OK\r\nKeep-Alive: timeout=${ms}, max=5\r\nContent-Length: 2\r\n\r\nok`;
  await askedOnce(client, far, answer(5));
  expect(client.room).toBe(1);
  await askedOnce(client, far, answer(0));
  expect(client.room).toBe(0);
});

test("a client that is drained ends when it is free, and says once that it takes no more", async () => {
  const { client, far, handler } = await connected();
  const { told } = ask(client);
  await once(far, "data");
  client.drain();
  client.drain();
  expect(client.room).toBe(0);
  far.write(ANSWER);
  await vi.waitFor(() => expect(handler.closed).toHaveBeenCalledTimes(1));
  expect([told, handler.leaving.mock.calls.length]).toEqual([["200", "ok", "end"], 1]);
});
