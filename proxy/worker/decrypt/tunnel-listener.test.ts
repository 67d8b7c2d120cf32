import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { wrongLeaves, leafUnder } from "#certs/testing/hostile-chains.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { carelessClient } from "#certs/testing/tls-pair.ts";
import type * as TlsContexts from "#certs/tls/tls-contexts.ts";
import { clientContext, connectOptions } from "#certs/tls/tls-contexts.ts";
import { loopbackServer } from "../../testing/loopback.ts";
import { type HandshakeProblem, TunnelListener } from "./tunnel-listener.ts";

/** A handshake may take as long as it does, unless a test is about one that takes too long. */
const handshake = vi.hoisted(() => ({ timeoutMs: 10_000 }));
vi.mock(import("#certs/tls/tls-contexts.ts"), async (original): Promise<typeof TlsContexts> => {
  const contexts = await original();
  return {
    ...contexts,
    serverOptions: (credentials, bundle) => contexts.serverOptions(credentials, bundle, handshake.timeoutMs),
  };
});
beforeEach(() => void (handshake.timeoutMs = 10_000));

const mesh = testAuthority();
const web = mesh.credentials("shop/web");
const caller = mesh.credentials("shop/cart");

/** What is known of a refused caller: after its socket is destroyed nobody knows from where it called. */
interface Refused extends HandshakeProblem {
  readonly remotePort: number | undefined;
}

/** The tunnel port of a pod, and everybody who came. */
const listening = async ({ maxHandshakes = 512, credentials = web, bundle = mesh.bundle } = {}) => {
  const peers: { readonly id: string; readonly socket: TLSSocket }[] = [];
  const refused: Refused[] = [];
  const listener = new TunnelListener(credentials, bundle, maxHandshakes, {
    onPeer: (socket, { id }) => void peers.push({ id, socket }),
    onRefused: ({ remotePort }, { reason, message }) => void refused.push({ reason, message, remotePort }),
  });
  const { port, accepted } = await loopbackServer((socket) => listener.accept(socket), false);
  onTestFinished(() => listener.close());
  return { listener, port, accepted, peers, refused };
};

const meshClient = (credentials = caller, expected = web.id, bundle = mesh.bundle): ConnectionOptions =>
  connectOptions(clientContext(credentials, bundle), expected);

/** A caller, and when its connection is gone. */
const call = (port: number, options: ConnectionOptions): { socket: TLSSocket; closed: Promise<void> } => {
  const socket = connect({ port, host: "127.0.0.1", ...options });
  socket.on("error", () => undefined);
  socket.resume();
  onTestFinished(() => void socket.destroy());
  return {
    socket,
    closed: new Promise((resolve) => {
      socket.once("close", () => resolve());
    }),
  };
};

/** Somebody who connects and says what a test says, in clear. */
const callInClear = async (port: number, text = ""): Promise<Socket> => {
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.resume();
  if (text) socket.write(text);
  return socket;
};

test("a caller who proves who it is comes with its identity, and nothing it sent has been read", async () => {
  const { port, peers, refused } = await listening();
  const { socket } = call(port, meshClient());
  socket.write("early");
  await vi.waitFor(() => expect(peers).toHaveLength(1));
  expect([peers[0]?.id, refused]).toEqual([caller.id, []]);
  expect(String(await once(peers[0]?.socket as TLSSocket, "data"))).toBe("early");
});

const stranger = testAuthority();
const foreigner = testAuthority("other.example");
const { key: _key, cert: _cert, ...withoutCertificate } = carelessClient(caller);
const { ALPNProtocols: _protocols, ...withoutProtocol } = carelessClient(caller);

test.each<[string, ConnectionOptions, string]>([
  ["has no certificate", withoutCertificate, "no-certificate"],
  ["is of another trust domain", carelessClient(foreigner.credentials("shop/cart")), "foreign-trust-domain"],
  ["was certified by somebody else", carelessClient(stranger.credentials("shop/cart")), "untrusted-issuer"],
  ["speaks no HTTP/2", withoutProtocol, "no-alpn"],
  ["offers another protocol", { ...carelessClient(caller), ALPNProtocols: ["http/1.1"] }, "no-alpn"],
  ["speaks an older TLS", { ...carelessClient(caller), maxVersion: "TLSv1.2" }, "protocol-version"],
  ...wrongLeaves.map(([name, changes, reason]): [string, ConnectionOptions, string] => [
    `presents a wrong certificate: ${name}`,
    carelessClient(leafUnder(mesh, changes)),
    reason,
  ]),
])("a caller who %s is refused, told first and closed then", async (_, options, reason) => {
  const { port, peers, refused, accepted } = await listening();
  const { closed } = call(port, options);
  await closed;
  await vi.waitFor(() => expect(refused).toHaveLength(1));
  expect(refused).toMatchObject([{ reason, remotePort: expect.any(Number) }]);
  await vi.waitFor(() => expect(accepted[0]?.destroyed).toBe(true));
  expect(peers).toEqual([]);
});

test.each([
  ["HTTP in clear", "GET / HTTP/1.1\r\n\r\n"],
  ["anything else", "\0\0\0\0\0\0\0\0\0\0\0\0"],
])("%s is refused and closed", async (_, text) => {
  const { port, refused, accepted } = await listening();
  const socket = await callInClear(port, text);
  await once(socket, "close");
  await vi.waitFor(() => expect(refused).toHaveLength(1));
  expect(refused[0]?.reason).toBe("not-tls");
  expect(accepted[0]?.destroyed).toBe(true);
});

test("a caller who goes within its handshake is told once", async () => {
  const { port, refused, accepted } = await listening();
  const socket = await callInClear(port);
  socket.destroy();
  await vi.waitFor(() => expect(refused).toMatchObject([{ reason: "connection-closed" }]));
  await vi.waitFor(() => expect(accepted[0]?.destroyed).toBe(true));
  expect(refused).toHaveLength(1);
});

test("a caller who takes too long for its handshake is refused, and closed", async () => {
  handshake.timeoutMs = 50;
  const { port, refused } = await listening();
  const socket = await callInClear(port);
  await once(socket, "close");
  expect(refused).toMatchObject([{ reason: "handshake-timeout", remotePort: expect.any(Number) }]);
});

test("so many handshakes may be under way, and one more is refused; each that is over makes room, however it ended", async () => {
  const { port, peers, refused } = await listening({ maxHandshakes: 2 });
  const slow = [await callInClear(port), await callInClear(port)];
  await callInClear(port);
  await vi.waitFor(() => expect(refused).toHaveLength(1));
  expect(refused).toMatchObject([
    { reason: "too-many-handshakes", message: /^2 handshakes/, remotePort: expect.any(Number) },
  ]);
  // One goes, and one says nonsense.
  slow[0]?.destroy();
  slow[1]?.write("nonsense, and more of it");
  await vi.waitFor(() => expect(refused).toHaveLength(3));
  for (let round = 0; round < 3; round++) {
    call(port, meshClient());
    call(port, meshClient());
    await vi.waitFor(() => expect(peers).toHaveLength(2 * round + 2));
    await call(port, withoutCertificate).closed;
  }
  expect(refused.map(({ reason }) => reason).filter((reason) => reason === "too-many-handshakes")).toHaveLength(1);
});

test("from the moment of a renewal the new certificate is presented and the new bundle trusted", async () => {
  const { listener, port, peers, refused } = await listening();
  const next = testAuthority();
  const early = call(port, meshClient());
  await vi.waitFor(() => expect(peers).toHaveLength(1));
  listener.renew(next.credentials("shop/web"), next.bundle);
  call(port, meshClient(next.credentials("shop/cart"), web.id, next.bundle));
  await vi.waitFor(() => expect(peers).toHaveLength(2));
  await call(port, carelessClient(caller)).closed;
  await vi.waitFor(() => expect(refused).toMatchObject([{ reason: "untrusted-issuer" }]));
  expect(early.socket.destroyed).toBe(false);
});

test("what the caller asks for by name decides nothing", async () => {
  const { port, peers } = await listening();
  const { socket } = call(port, { ...carelessClient(caller), servername: "other.shop.svc.cluster.local" });
  await vi.waitFor(() => expect(peers).toHaveLength(1));
  expect(socket.getPeerX509Certificate()?.subjectAltName).toBe(`URI:${web.id}`);
});

test("closing ends every connection, also within its handshake", async () => {
  const { listener, port, peers } = await listening();
  const shaking = await callInClear(port);
  const { closed } = call(port, meshClient());
  await vi.waitFor(() => expect(peers).toHaveLength(1));
  const ended = once(shaking, "close");
  listener.close();
  await Promise.all([closed, ended]);
});

test("a connection that breaks after its handshake breaks nothing else", async () => {
  const { port, peers, accepted } = await listening();
  const raw = await callInClear(port);
  raw.pause();
  call(port, { ...meshClient(), socket: raw });
  await vi.waitFor(() => expect(peers).toHaveLength(1));
  peers[0]?.socket.resume();
  raw.resetAndDestroy();
  await vi.waitFor(() => expect(accepted[0]?.destroyed).toBe(true));
});
