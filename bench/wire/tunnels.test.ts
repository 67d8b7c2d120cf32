import { expect, onTestFinished, test } from "vitest";
import { listening } from "./listening.ts";
import { openConnections, openTunnels, tunnelServer } from "./tunnels.ts";

test("so many tunnels are held on each connection, and each of them was answered in", async () => {
  const server = tunnelServer();
  onTestFinished(() => void server.close());
  const connections = await openConnections(await listening(server), 2);
  onTestFinished(() => connections.forEach((connection) => connection.destroy("the test is over")));
  await openTunnels(connections, 3);
  await openTunnels(connections, 4);
  expect(connections.map(({ openTunnels }) => openTunnels)).toEqual([7, 7]);
});
