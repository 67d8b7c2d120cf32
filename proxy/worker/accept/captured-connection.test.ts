import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { hasIpv6 } from "../../kernel/ipv6.ts";
import { type OriginalDestination, originalDestination } from "../../kernel/original-destination.ts";
import { ownAddress, peerAddress, readCaptured } from "./captured-connection.ts";

/** Connection tracking knows what a test says: redirecting takes privileges, and a namespace. */
vi.mock(import("../../kernel/original-destination.ts"), () => ({
  originalDestination: vi.fn<(fd: number, family: 4 | 6) => OriginalDestination | undefined>(),
}));

beforeEach(() => void vi.mocked(originalDestination).mockReset());

const redirectedFrom = (address: readonly number[], port: number): void =>
  void vi.mocked(originalDestination).mockReturnValue({ address: Uint8Array.from(address), port });

/** A connection that was accepted on a socket for both families, as the supervisor's are. */
const accepted = async (called = "127.0.0.1"): Promise<{ socket: Socket; caller: Socket }> => {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, hasIpv6 ? "::" : "0.0.0.0");
  await once(server, "listening");
  const accepting = once(server, "connection") as Promise<[Socket]>;
  const caller = connect((server.address() as AddressInfo).port, called);
  await once(caller, "connect");
  const [socket] = await accepting;
  socket.on("error", () => undefined);
  onTestFinished(() => {
    for (const each of [socket, caller]) each.destroy();
    server.close();
  });
  return { socket, caller };
};

test("who called whom is read from the connection, and IPv4 on an IPv6 socket is IPv4", async () => {
  redirectedFrom([10, 96, 0, 10], 80);
  const { socket, caller } = await accepted();
  expect(readCaptured(socket)).toEqual({
    ok: true,
    value: {
      source: { address: "127.0.0.1", port: caller.localPort },
      destination: { address: "10.96.0.10", port: 80 },
    },
  });
  expect(originalDestination).toHaveBeenCalledWith(expect.any(Number), 4);
});

test.runIf(hasIpv6)("the same for IPv6", async () => {
  redirectedFrom([0xfd, ...Array.from({ length: 14 }, () => 0), 1], 8080);
  const { socket, caller } = await accepted("::1");
  expect(readCaptured(socket)).toEqual({
    ok: true,
    value: { source: { address: "::1", port: caller.localPort }, destination: { address: "fd00::1", port: 8080 } },
  });
  expect(originalDestination).toHaveBeenCalledWith(expect.any(Number), 6);
});

test("a connection that was not redirected called the proxy itself", async () => {
  const { socket } = await accepted();
  expect(readCaptured(socket)).toEqual({ ok: false, error: "self-call" });
});

test.each([15_001, 15_006, 15_008])(
  "a connection to port %i, by whatever address, called the proxy itself",
  async (port) => {
    redirectedFrom([10, 244, 1, 10], port);
    const { socket } = await accepted();
    expect(readCaptured(socket)).toEqual({ ok: false, error: "self-call" });
  },
);

test("a connection that ended before anybody looked is gone", () => {
  expect(readCaptured({ remoteAddress: undefined, remotePort: undefined } as Socket)).toEqual({
    ok: false,
    error: "gone",
  });
});

test("the address at which we were called is ours, not where it was going", async () => {
  const { socket, caller } = await accepted();
  expect(ownAddress(socket)).toEqual({ address: "127.0.0.1", port: caller.remotePort });
  expect(peerAddress(socket)).toEqual({ address: "127.0.0.1", port: caller.localPort });
});

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::ffff:a00:1", "10.0.0.1"],
  ["fe80::1%eth0", "fe80::1"],
  ["FD00:0:0::1", "fd00::1"],
  ["nonsense:", undefined],
])("the address %s is %s", (remoteAddress, address) => {
  expect(peerAddress({ remoteAddress, remotePort: 80 } as Socket)).toEqual(address && { address, port: 80 });
});
