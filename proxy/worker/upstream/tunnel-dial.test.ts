import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { verifyClient } from "#certs/tls/client-check.ts";
import { clientContext, serverOptions } from "#certs/tls/tls-contexts.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import { TUNNEL_PORT } from "#mesh/ports.ts";
import { ip } from "#mesh/testing/examples.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import { openDescriptors } from "../../testing/open-descriptors.ts";
import { silentPort } from "../../testing/listening-sockets.ts";
import { Reading } from "../../testing/reading.ts";
import { outboundSocket } from "../../testing/outbound-sockets.ts";
import { serveTunnels } from "../../tunnel/tunnel-server.ts";
import { TUNNEL_LIMITS, type TunnelLimits } from "../../tunnel/tunnel-limits.ts";
import { dialTunnel } from "./tunnel-dial.ts";

const mesh = testAuthority();
const caller = mesh.credentials("shop/web");
const called = mesh.credentials("shop/payments");

/** The port is always the same, so that each test has an address of its own. */
let lastAddress = 0;
const newAddress = (): string => `127.15.8.${++lastAddress}`;

afterEach(() => void vi.useRealTimers());

/** Whoever is at a tunnel port. */
const listening = async (onSocket: (socket: Socket) => void, address = newAddress()) => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(TUNNEL_PORT, address);
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  return { address, accepted };
};

/** A tunnel port that speaks TLS as a pod does, up to where `onSecure` takes over. */
const podListening = (
  onSecure: (socket: TLSSocket) => void,
  credentials: Credentials = called,
  bundle: TrustBundle = mesh.bundle,
) => {
  const tls = createTlsServer(serverOptions(credentials, bundle));
  tls.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => undefined);
    onSecure(socket);
  });
  tls.on("tlsClientError", (_error, socket) => socket.destroy());
  return listening((socket) => void tls.emit("connection", socket));
};

const dialled = (
  address: string,
  {
    limits = TUNNEL_LIMITS,
    timeoutMs = 10_000,
    signal = new AbortController().signal,
    watch = (): void => undefined,
    onClosed = (): void => undefined,
  } = {},
) =>
  dialTunnel(
    outboundSocket(),
    { address: ip(address), identity: called.id },
    clientContext(caller, mesh.bundle),
    limits,
    { timeoutMs, signal },
    watch,
    onClosed,
  );

test("a tunnel connection proves both sides, and carries tunnels", async () => {
  const verified = vi.fn<(id: unknown) => void>();
  const onClosed = vi.fn<() => void>();
  const { address } = await podListening((socket) => {
    const peer = verifyClient(socket, mesh.trustDomain);
    verified(peer.ok && peer.value.id);
    const server = serveTunnels(
      socket,
      TUNNEL_LIMITS,
      (tunnel) => void tunnel.accept({}).write(Buffer.from("hello")),
      () => undefined,
    );
    onTestFinished(() => server.destroy("over"));
  });
  const connection = await dialled(address, { onClosed });
  expect(verified).toHaveBeenCalledWith(caller.id);
  const reading = new Reading(await connection.open({ authority: `${address}:80`, headers: {} }));
  await vi.waitFor(() => expect(reading.text).toBe("hello"));
  expect(onClosed).not.toHaveBeenCalled();
  connection.destroy("done");
  await vi.waitFor(() => expect(onClosed).toHaveBeenCalledTimes(1));
});

test("a tunnel port that nobody listens at is a failure to connect", async () => {
  await expect(dialled(newAddress())).rejects.toMatchObject({
    name: "TunnelDialError",
    step: "connect",
    message: /ECONNREFUSED/,
  });
});

test("a tunnel port that does not answer may be blocked, which the message says", async () => {
  const address = newAddress();
  await silentPort(address, TUNNEL_PORT);
  await expect(dialled(address, { timeoutMs: 20 })).rejects.toMatchObject({
    step: "connect-timeout",
    message: /no answer within 20 ms.*a NetworkPolicy may block port 15008/,
  });
});

const SHORT: TunnelLimits = { ...TUNNEL_LIMITS, settingsTimeoutMs: 20 };
const stranger = testAuthority();
const foreigner = testAuthority("other.example");

/** Who may be at the tunnel port, at which step that is found out, and what is said. */
test.each<[string, () => Promise<{ address: string; accepted: Socket[] }>, string, RegExp]>([
  ["speaks no TLS", () => listening((socket) => socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n")), "tls", /./],
  [
    "ends instead of a handshake",
    () => listening((socket) => void socket.once("data", () => socket.end())),
    "tls",
    /./,
  ],
  [
    "resets instead of a handshake",
    () => listening((socket) => void socket.once("data", () => socket.resetAndDestroy())),
    "tls",
    /./,
  ],
  [
    "is another pod",
    () => podListening((socket) => void socket.resume(), mesh.credentials("shop/other")),
    "identity",
    /expected .*\/sa\/payments, the server is .*\/sa\/other/,
  ],
  [
    "has a certificate of another mesh of the same name",
    () => podListening((socket) => void socket.resume(), stranger.credentials("shop/payments"), stranger.bundle),
    "tls",
    /chain was not accepted/,
  ],
  [
    "is of another trust domain",
    () => podListening((socket) => void socket.resume(), foreigner.credentials("shop/payments"), foreigner.bundle),
    "tls",
    /./,
  ],
  [
    "has a certificate that is no longer valid",
    () =>
      podListening(
        (socket) => void socket.resume(),
        mesh.credentials("shop/payments", { at: Date.now() - 3_600_000, lifetimeMs: 60_000 }),
      ),
    "tls",
    /CERT_HAS_EXPIRED/,
  ],
  [
    "does not take our certificate, and closes",
    () => podListening((socket) => socket.destroy()),
    "settings",
    /may not accept our certificate/,
  ],
  [
    "says nothing after the handshake",
    () => podListening((socket) => void socket.resume()),
    "settings",
    /no SETTINGS within 20 ms/,
  ],
  [
    "speaks no HTTP/2",
    () => podListening((socket) => socket.resume().write("HTTP/1.1 200 OK\r\n\r\n")),
    "settings",
    /./,
  ],
])("somebody at the tunnel port who %s gets nothing, and is not kept waiting", async (_, listen, step, message) => {
  const { address, accepted } = await listen();
  const dialling = dialled(address, { limits: SHORT });
  await expect(dialling).rejects.toMatchObject({ name: "TunnelDialError", step, message });
  await vi.waitFor(() => expect(accepted[0]?.destroyed).toBe(true));
});

test("somebody of a trust domain that we cannot verify is a mistake of the caller's, and leaves no connection", async () => {
  const { address, accepted } = await podListening((socket) => void socket.resume());
  const target = { address: ip(address), identity: foreigner.id("shop/payments") };
  const limits = { timeoutMs: 10_000, signal: new AbortController().signal };
  const context = clientContext(caller, mesh.bundle);
  const nothing = (): void => undefined;
  await expect(dialTunnel(outboundSocket(), target, context, TUNNEL_LIMITS, limits, nothing, nothing)).rejects.toThrow(
    /cannot be verified/,
  );
  await vi.waitFor(() => expect(accepted[0]?.destroyed).toBe(true));
});

test("a handshake that takes too long is given up", async () => {
  const { address, accepted } = await listening((socket) => void socket.resume());
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const failed = vi.fn<(error: unknown) => void>();
  dialled(address).catch(failed);
  while ((accepted[0]?.bytesRead ?? 0) === 0) await new Promise(setImmediate);
  vi.advanceTimersByTime(9_999);
  await new Promise(setImmediate);
  expect(failed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  await new Promise(setImmediate);
  expect(failed).toHaveBeenCalledWith(
    expect.objectContaining({ step: "tls", message: expect.stringMatching(/10000 ms/) }),
  );
});

/** Where a dial may be when its pod goes, and how to know that it is there. */
test.each<[string, () => Promise<{ address: string; reached: () => boolean }>]>([
  [
    "connects",
    async () => {
      const address = newAddress();
      await silentPort(address, TUNNEL_PORT);
      return { address, reached: () => true };
    },
  ],
  [
    "shakes hands",
    async () => {
      const { address, accepted } = await listening((socket) => void socket.resume());
      return { address, reached: () => (accepted[0]?.bytesRead ?? 0) > 0 };
    },
  ],
  [
    "waits for SETTINGS",
    async () => {
      const secured = vi.fn<(socket: TLSSocket) => void>();
      const { address } = await podListening(secured);
      return { address, reached: () => secured.mock.calls.length > 0 };
    },
  ],
])("a dial whose pod goes while it %s fails, and leaves no socket behind", async (_, peer) => {
  const { address, reached } = await peer();
  const before = openDescriptors();
  const pod = new AbortController();
  const dialling = dialled(address, { signal: pod.signal });
  const failed = expect(dialling).rejects.toMatchObject({ name: "TunnelDialError" });
  while (!reached()) await new Promise(setImmediate);
  pod.abort();
  await failed;
  // The other end sees the end of it, and closes its own.
  await vi.waitFor(() => expect(openDescriptors()).toBeLessThanOrEqual(before));
});

test("nothing is left of the dials that failed", async () => {
  const { address, accepted } = await podListening((socket) => socket.destroy());
  await expect(dialled(address)).rejects.toThrow();
  await vi.waitFor(() => expect(accepted.every(({ destroyed }) => destroyed)).toBe(true));
  const before = openDescriptors();
  for (let dials = 0; dials < 5; dials++) await expect(dialled(address)).rejects.toThrow();
  await vi.waitFor(() => expect(openDescriptors()).toBe(before));
});

test("a pod that goes after its tunnel connection was made ends it by the pool, not by the dial", async () => {
  const { address } = await podListening((socket) => {
    const server = serveTunnels(
      socket,
      TUNNEL_LIMITS,
      () => undefined,
      () => undefined,
    );
    onTestFinished(() => server.destroy("over"));
  });
  const pod = new AbortController();
  const onClosed = vi.fn<() => void>();
  const connection = await dialled(address, { signal: pod.signal, onClosed });
  pod.abort();
  const another = connect(TUNNEL_PORT, address);
  await once(another, "connect");
  another.destroy();
  expect([onClosed.mock.calls.length, connection.room]).toEqual([0, TUNNEL_LIMITS.maxTunnels]);
  connection.destroy("done");
});
