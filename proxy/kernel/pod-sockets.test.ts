import { readFileSync } from "node:fs";
import { once } from "node:events";
import { type AddressInfo, createServer, Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { loopbackServer } from "../testing/loopback.ts";
import { openDescriptors } from "../testing/open-descriptors.ts";
import { mayUseNamespaces, outputOf, testNamespace } from "../testing/test-namespace.ts";
import { hasIpv6 } from "./ipv6.ts";
import { close } from "./libc.ts";
import { socketDescriptor } from "./socket-descriptor.ts";
import { inNetworkNamespace } from "./network-namespace.ts";
import { DIRECT_PORTS, keepsPortRange, LOCAL_PORTS, makeListener, makeOutbound } from "./pod-sockets.ts";
import {
  getSocketOption,
  IP_BIND_ADDRESS_NO_PORT,
  IP_LOCAL_PORT_RANGE,
  IP_TRANSPARENT,
  IPV6_TRANSPARENT,
  IPV6_V6ONLY,
  SO_KEEPALIVE,
  SO_MARK,
  SO_REUSEADDR,
  TCP_KEEPIDLE,
  TCP_NODELAY,
  type SocketOption,
} from "./socket-options.ts";

/** A mark and a transparent socket need privileges. */
const asRoot = test.runIf(mayUseNamespaces);

const SO_REUSEPORT: SocketOption = { level: 1, number: 15, name: "SO_REUSEPORT" };

const numberOf = (fd: number, option: SocketOption): number => {
  const value = getSocketOption(fd, option, 4);
  if (typeof value === "string") throw new Error(`${option.name}: ${value}`);
  return new DataView(value.buffer).getUint32(0, true);
};

const kept = (fd: number): number => {
  onTestFinished(() => void close(fd));
  return fd;
};

/** O_CLOEXEC and O_NONBLOCK in the octal flags of fdinfo. */
const isInheritedOrBlocks = (fd: number): boolean => {
  const flags = Number.parseInt(
    /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "",
    8,
  );
  return (flags & 0o2000000) === 0 || (flags & 0o4000) === 0;
};

asRoot(
  "what a listener accepts sends at once, and notices a peer that is gone; so do dials to the outside",
  async () => {
    const namespace = await testNamespace();
    const [listener, direct, local] = inNetworkNamespace(namespace, () => [
      makeListener(0),
      makeOutbound("direct"),
      makeOutbound("local"),
    ]).map(kept) as [number, number, number];
    const wanted = (fd: number): readonly number[] =>
      [TCP_NODELAY, SO_KEEPALIVE, TCP_KEEPIDLE].map((option) => numberOf(fd, option));
    expect([listener, direct].map(wanted)).toEqual([
      [1, 1, 180],
      [1, 1, 180],
    ]);
    expect(wanted(local).slice(0, 2)).toEqual([1, 0]);
    const server = createServer().listen({ fd: listener });
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const { port } = server.address() as AddressInfo;
    const client = new Socket({ fd: inNetworkNamespace(namespace, () => makeOutbound("local")) });
    onTestFinished(() => void client.destroy());
    client.connect({ host: hasIpv6 ? "::1" : "127.0.0.1", port });
    const [socket] = await accepted;
    expect(wanted(socketDescriptor(socket))).toEqual([1, 1, 180]);
    socket.destroy();
  },
);

asRoot(
  "every socket carries the mark 0x539 and serves both families where there are two; to the outside none speaks from any address",
  async () => {
    const namespace = await testNamespace();
    const sockets = inNetworkNamespace(namespace, () => [
      makeListener(15001),
      makeOutbound("direct"),
      makeOutbound("local"),
    ]);
    const transparent = sockets.map((fd) => numberOf(fd, hasIpv6 ? IPV6_TRANSPARENT : IP_TRANSPARENT));
    expect(transparent).toEqual([1, 0, 1]);
    for (const fd of sockets.map(kept)) {
      expect(numberOf(fd, SO_MARK)).toBe(0x539);
      if (hasIpv6) expect(numberOf(fd, IPV6_V6ONLY)).toBe(0);
      expect(isInheritedOrBlocks(fd)).toBe(false);
    }
  },
);

asRoot(
  "a listener is nobody's to join: no SO_REUSEPORT, and a second one is refused with the port and closed",
  async () => {
    const namespace = await testNamespace();
    const listener = kept(inNetworkNamespace(namespace, () => makeListener(15006)));
    expect([numberOf(listener, SO_REUSEPORT), numberOf(listener, SO_REUSEADDR)]).toEqual([0, 1]);
    const before = openDescriptors();
    expect(() => inNetworkNamespace(namespace, () => makeListener(15006))).toThrow(/port 15006: EADDRINUSE/);
    expect(openDescriptors()).toBe(before);
  },
);

asRoot("a listener takes connections of both families, many of them before anybody accepts", async () => {
  const namespace = await testNamespace();
  kept(inNetworkNamespace(namespace, () => makeListener(15006)));
  const dial = (host: string): string => `exec 3<>/dev/tcp/${host}/15006; exec 3>&-`;
  for (const host of hasIpv6 ? ["10.9.0.1", "fd99::1", "::1"] : ["10.9.0.1"]) {
    await outputOf(namespace, `bash -c 'for n in $(seq 20); do ${dial(host)}; done'`);
  }
  expect(await outputOf(namespace, "ss -tlnH")).toMatch(/ 4096 +\S+:15006/);
});

asRoot("outbound sockets choose their port when they dial, each kind in a range of its own", () => {
  const [direct, local] = [kept(makeOutbound("direct")), kept(makeOutbound("local"))];
  for (const fd of [direct, local]) expect(numberOf(fd, IP_BIND_ADDRESS_NO_PORT)).toBe(1);
  if (!keepsPortRange) return;
  expect(numberOf(direct, IP_LOCAL_PORT_RANGE)).toBe(DIRECT_PORTS.last * 65_536 + DIRECT_PORTS.first);
  expect(numberOf(local, IP_LOCAL_PORT_RANGE)).toBe(LOCAL_PORTS.last * 65_536 + LOCAL_PORTS.first);
});

test("the two ranges do not meet, and neither holds a port of the proxy's that is not reserved", () => {
  expect(LOCAL_PORTS.last).toBeLessThan(DIRECT_PORTS.first);
  expect(LOCAL_PORTS.first).toBeGreaterThan(1_024);
  expect(DIRECT_PORTS.last).toBeLessThan(65_536);
});

asRoot("Node.js dials with such a socket, from a port of its range", async () => {
  const { port } = await loopbackServer();
  const socket = new Socket({ fd: makeOutbound("direct") });
  onTestFinished(() => void socket.destroy());
  socket.connect({ port, host: hasIpv6 ? "::ffff:127.0.0.1" : "127.0.0.1" });
  await once(socket, "connect");
  if (keepsPortRange) expect(socket.localPort).toBeGreaterThanOrEqual(DIRECT_PORTS.first);
});
