import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { ip } from "#mesh/testing/examples.ts";
import { DIRECT_PORTS, LOCAL_PORTS } from "../../kernel/pod-sockets.ts";
import { loopbackServer } from "../../testing/loopback.ts";
import { suppliedStocks } from "../../testing/outbound-sockets.ts";
import { dialFromStock } from "./dial-stock.ts";

/** Every dial says where it comes from: a port is taken for one address, and the other end listens at another. */
const how = (port: number) => ({
  target: { address: ip("127.0.0.1"), port },
  from: ip("127.0.0.1"),
  timeoutMs: 10_000,
  signal: new AbortController().signal,
  allowHalfOpen: true,
});

const choosing = (...ports: readonly number[]) => {
  const left = [...ports];
  return vi.fn<(first: number, last: number) => number>(() => left.shift() ?? ports.at(-1) ?? 0);
};

const freePort = async (): Promise<number> => {
  const { port, server } = await loopbackServer();
  server.close();
  await once(server, "close");
  return port;
};

test.each([
  ["direct", DIRECT_PORTS],
  ["local", LOCAL_PORTS],
] as const)("a port of a %s socket is chosen from its own range", async (kind, { first, last }) => {
  const { port } = await loopbackServer();
  const { stocks, taken } = suppliedStocks();
  const choose = choosing(await freePort());
  const socket = await dialFromStock(stocks, kind, how(port), choose);
  expect(choose.mock.calls).toEqual([[first, last]]);
  expect(taken).toEqual([kind]);
  socket.destroy();
});

test("the ranges of the two kinds do not meet", () => {
  expect(LOCAL_PORTS.last).toBeLessThan(DIRECT_PORTS.first);
});

test("a port that is taken is passed over, with another socket", async () => {
  const { port, accepted } = await loopbackServer();
  const free = await freePort();
  const { stocks, taken } = suppliedStocks();
  const choose = choosing(port, port, free);
  const socket = await dialFromStock(stocks, "direct", how(port), choose);
  await vi.waitFor(() => expect(accepted[0]?.remotePort).toBe(free));
  expect([choose.mock.calls.length, taken.length]).toEqual([3, 3]);
  socket.destroy();
});

test("a pod whose ports are all taken is told so after eight of them", async () => {
  const { port } = await loopbackServer();
  const choose = choosing(port);
  const dialling = dialFromStock(suppliedStocks().stocks, "direct", how(port), choose);
  await expect(dialling).rejects.toMatchObject({ name: "DialError", errno: "EADDRINUSE" });
  expect(choose).toHaveBeenCalledTimes(8);
});

test("another failure is not tried again from another port", async () => {
  const port = await freePort();
  const choose = choosing(await freePort());
  await expect(dialFromStock(suppliedStocks().stocks, "direct", how(port), choose)).rejects.toMatchObject({
    errno: "ECONNREFUSED",
  });
  expect(choose).toHaveBeenCalledTimes(1);
});

test("where the kernel keeps a socket to its range no port is chosen", async () => {
  const { port, accepted } = await loopbackServer();
  const { stocks } = suppliedStocks();
  const socket = await dialFromStock(stocks, "direct", how(port), undefined);
  await vi.waitFor(() => expect(accepted).toHaveLength(1));
  expect(accepted[0]?.remotePort).toBe(socket.localPort);
  socket.destroy();
});

test("without a socket there is no dial", async () => {
  const { stocks } = suppliedStocks();
  stocks.local.close();
  await expect(dialFromStock(stocks, "local", how(1))).rejects.toMatchObject({ name: "NoSocketError" });
});
