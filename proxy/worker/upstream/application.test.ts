import { once } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { authorize } from "#mesh/policies/authorization.ts";
import type { Permit } from "#mesh/policies/authorization.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import { ip } from "#mesh/testing/examples.ts";
import { loopbackServer } from "../../testing/loopback.ts";
import { silentPort } from "../../testing/listening-sockets.ts";
import { suppliedStocks } from "../../testing/outbound-sockets.ts";
import { connectApplication } from "./application.ts";
import { connectDirect } from "./direct.ts";

afterEach(() => void vi.useRealTimers());

const POD = ip("127.0.0.1");
const CLIENT: SocketAddress = { address: ip("127.0.0.7"), port: 40_000 };

const permitted = (): Permit => {
  const facts = { identity: undefined, sourceIp: CLIENT.address, destinationIp: POD, destinationPort: 80 };
  const verdict = authorize([], facts);
  if (verdict.kind !== "allowed") throw new Error("no policy forbids it");
  return verdict.permit;
};

const limits = (timeoutMs = 10_000, signal = new AbortController().signal) => ({ timeoutMs, signal });

/** Waits until so many sockets were taken, without turning the clock. */
const untilTaken = async (taken: readonly string[], count: number): Promise<void> => {
  while (taken.length < count) await new Promise(setImmediate);
};

test("the application sees the client's own address", async () => {
  const { port, accepted } = await loopbackServer();
  const { stocks, taken } = suppliedStocks();
  const socket = await connectApplication(stocks, CLIENT, { address: POD, port }, limits(), permitted());
  await vi.waitFor(() => expect(accepted[0]?.remoteAddress).toBe(CLIENT.address));
  expect(taken).toEqual(["local"]);
  socket.destroy();
});

test("a pod that calls itself comes from its own address, as any of its calls does", async () => {
  const { port, accepted } = await loopbackServer();
  const { stocks, taken } = suppliedStocks();
  const socket = await connectApplication(
    stocks,
    { address: POD, port: 1 },
    { address: POD, port },
    limits(),
    permitted(),
  );
  await vi.waitFor(() => expect(accepted[0]?.remoteAddress).toBe(POD));
  expect(taken).toEqual(["direct"]);
  socket.destroy();
});

test("a first packet that was swallowed is sent again from another socket, after one second", async () => {
  const { port, answer } = await silentPort();
  const { stocks, taken } = suppliedStocks();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const connecting = connectApplication(stocks, CLIENT, { address: POD, port }, limits(), permitted());
  await untilTaken(taken, 1);
  await new Promise(setImmediate);
  answer();
  await vi.advanceTimersByTimeAsync(999);
  expect(taken).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  await untilTaken(taken, 2);
  const socket = await connecting;
  expect(socket.remotePort).toBe(port);
  expect(taken).toEqual(["local", "local"]);
  socket.destroy();
});

test("both tries together take no longer than one may", async () => {
  const { port } = await silentPort();
  const { stocks, taken } = suppliedStocks();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const ended = vi.fn<(error: unknown) => void>();
  const connecting = connectApplication(stocks, CLIENT, { address: POD, port }, limits(3_000), permitted());
  connecting.catch(ended);
  await untilTaken(taken, 1);
  await vi.advanceTimersByTimeAsync(1_000);
  await untilTaken(taken, 2);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toHaveBeenCalledWith(expect.objectContaining({ errno: "ETIMEDOUT" }));
  expect(taken).toHaveLength(2);
});

test("where there is no more time than for one try there is one", async () => {
  const { port } = await silentPort();
  const { stocks, taken } = suppliedStocks();
  const connecting = connectApplication(stocks, CLIENT, { address: POD, port }, limits(20), permitted());
  await expect(connecting).rejects.toMatchObject({ errno: "ETIMEDOUT" });
  expect(taken).toHaveLength(1);
});

test("an application that refuses is not asked twice", async () => {
  const { port, server } = await loopbackServer();
  server.close();
  await once(server, "close");
  const { stocks, taken } = suppliedStocks();
  const connecting = connectApplication(stocks, CLIENT, { address: POD, port }, limits(), permitted());
  await expect(connecting).rejects.toMatchObject({ errno: "ECONNREFUSED" });
  expect(taken).toHaveLength(1);
});

test("a call in clear comes from the pod's own address, and may end in one direction", async () => {
  const { port, accepted } = await loopbackServer();
  const { stocks, taken } = suppliedStocks();
  const socket = await connectDirect(stocks, { address: POD, port }, limits(), permitted());
  await vi.waitFor(() => expect(accepted[0]?.remoteAddress).toBe(POD));
  expect([taken, socket.allowHalfOpen]).toEqual([["direct"], true]);
  socket.destroy();
});
