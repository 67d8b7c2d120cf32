import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { runInNamespace } from "../supervisor/namespace-command.ts";
import { captureRules } from "../supervisor/rules.ts";
import { mayUseNamespaces, outputOf, testNamespace } from "../testing/test-namespace.ts";
import { hasIpv6 } from "./ipv6.ts";
import { inNetworkNamespace } from "./network-namespace.ts";
import { originalDestination } from "./original-destination.ts";
import { makeListener } from "./pod-sockets.ts";
import { socketDescriptor } from "./socket-descriptor.ts";

const inNamespaces = test.runIf(mayUseNamespaces);

/** A namespace with the rules of a pod, and a listener on the outbound port; and who connects to it. */
const captured = async () => {
  const namespace = await testNamespace();
  await runInNamespace(namespace, "nft", ["-f", "-"], captureRules([]));
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen({ fd: inNetworkNamespace(namespace, () => makeListener(15001)) });
  onTestFinished(() => void server.close());
  /** Dials from inside, and shows the other end. */
  const dial = async (host: string, port: number): Promise<Socket> => {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    await outputOf(namespace, `bash -c 'exec 3<>/dev/tcp/${host}/${port}'`);
    const [socket] = await accepted;
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { dial };
};

inNamespaces("a captured IPv4 connection says where it was going, also on a socket of both families", async () => {
  const { dial } = await captured();
  const socket = await dial("10.9.77.5", 8080);
  expect(originalDestination(socketDescriptor(socket), 4)).toEqual({
    address: Uint8Array.of(10, 9, 77, 5),
    port: 8080,
  });
  expect(originalDestination(socketDescriptor(socket), 6)).toBeUndefined();
});

test.runIf(mayUseNamespaces && hasIpv6)("a captured IPv6 connection says where it was going", async () => {
  const { dial } = await captured();
  const socket = await dial("fd99::77", 443);
  const address = Uint8Array.of(0xfd, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77);
  expect(originalDestination(socketDescriptor(socket), 6)).toEqual({ address, port: 443 });
});

inNamespaces("who connects to the proxy's own port is known by that: it was going there", async () => {
  const { dial } = await captured();
  const socket = await dial("127.0.0.1", 15001);
  const destination = originalDestination(socketDescriptor(socket), 4);
  expect(destination).toEqual({ address: Uint8Array.of(127, 0, 0, 1), port: 15001 });
});

test("a connection that connection tracking does not know has no original destination", async () => {
  const [, far] = await loopbackPair();
  expect(originalDestination(socketDescriptor(far), 6)).toBeUndefined();
});
