import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";

import { captureClientHello, inTinyRecords, withServerName } from "../testing/client-hello.ts";
import { testAuthority } from "../testing/test-authority.ts";
import { ANSWER, carelessClient, dial, startServer, type TestServer } from "../testing/tls-pair.ts";
import { exportPrivateKey } from "../x509/key-pair.ts";
import { formatCertificates, formatPem } from "../x509/pem.ts";
import { clientContext, connectOptions, HANDSHAKE_TIMEOUT_MS, serverOptions } from "./tls-contexts.ts";

const TIMEOUT_MS = 400;

const authority = testAuthority();
const serverId = authority.id("shop/server");
const serverCredentials = authority.credentials("shop/server");
const client = authority.credentials("shop/web");
const careless = carelessClient(client);
const sockets: Socket[] = [];

let server: TestServer;

beforeEach(async () => {
  server = await startServer(serverOptions(serverCredentials, authority.bundle, TIMEOUT_MS), authority.trustDomain);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

const properDial = () =>
  dial(server.port, connectOptions(clientContext(client, authority.bundle), serverId), { expected: serverId });

/** A proper client is served: the server lives and its accept loop is not held up. */
const expectServed = async (): Promise<void> => {
  const outcome = properDial();
  expect(await server.nextVerdict()).toMatchObject({ ok: true });
  expect(await outcome).toMatchObject({ received: ANSWER });
};

const rawConnection = (): Socket => {
  const socket = connectTcp(server.port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket.resume());
  return socket;
};

test("T-15 a handshake has ten seconds", () => {
  expect(HANDSHAKE_TIMEOUT_MS).toBe(10_000);
  expect(serverOptions(serverCredentials, authority.bundle)).toMatchObject({ handshakeTimeout: 10_000 });
});

test("T-13 no version but TLS 1.3 is spoken, whatever suites there are", () => {
  const only = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" };
  expect(serverOptions(serverCredentials, authority.bundle)).toMatchObject(only);
});

test("T-10 a client of ours sends no server name", async () => {
  await expectServed();
  expect(server.serverNames.at(-1)).toBe(false);
});

test.each(["shop.payments", "other.example", "a".repeat(255), "127-0-0-1.x"])(
  "T-10 whatever name a client asks for, it gets the certificate of the listener: %j",
  async (servername) => {
    const socket = connect({ ...careless, servername, port: server.port, host: "127.0.0.1" });
    await once(socket, "secureConnect");
    expect(socket.getPeerX509Certificate()?.raw).toEqual(Buffer.from(serverCredentials.chain[0] ?? ""));
    expect(await server.nextVerdict()).toMatchObject({ ok: true, value: { id: client.id } });
    socket.destroy();
  },
);

test.each([
  ["300 bytes", Buffer.alloc(300, "a")],
  ["a NUL", Buffer.from("server\0.evil")],
  ["10,000 bytes", Buffer.alloc(10_000, "a")],
])("T-10 a server name of %s fails the handshake and nothing else", async (_, name) => {
  rawConnection().write(withServerName(await captureClientHello(careless), name));
  expect(await server.nextVerdict()).toMatchObject({ ok: false });
  await expectServed();
});

test("T-12 there is no callback that a client's offer could make throw", () => {
  const options = Object.keys(serverOptions(serverCredentials, authority.bundle));
  expect(options).not.toEqual(expect.arrayContaining([expect.stringMatching(/Callback$/)]));
});

test.each([
  ["SNICallback", throwing()],
  ["ALPNCallback", throwing()],
])(
  "T-12 should somebody add one, an exception in %s fails the handshake and the process lives",
  async (name, thrown) => {
    const { ALPNProtocols: _, ...options } = serverOptions(serverCredentials, authority.bundle);
    const fragile = await startServer({ ...options, [name]: thrown }, authority.trustDomain);
    const outcome = await dial(fragile.port, { ...careless, servername: "x" });
    expect(await fragile.nextVerdict()).toMatchObject({ ok: false });
    expect(outcome.received).toBe("");
    await fragile.close();
  },
);

test.each([
  ["TLS 1.2", { maxVersion: "TLSv1.2" }, "protocol-version"],
  ["TLS 1.1", { minVersion: "TLSv1", maxVersion: "TLSv1.1" }, "protocol-version"],
  ["TLS 1.0", { minVersion: "TLSv1", maxVersion: "TLSv1" }, "protocol-version"],
  ["a suite that is not ours", { ciphers: "TLS_CHACHA20_POLY1305_SHA256" }, "handshake-failed"],
  ["another suite that is not ours", { ciphers: "TLS_AES_128_CCM_SHA256" }, "handshake-failed"],
] as const)("T-13 a client that speaks %s only is refused", async (_, options, reason) => {
  const outcome = dial(server.port, { ...careless, ...options });
  expect(await server.nextVerdict()).toMatchObject({ ok: false, error: { reason } });
  expect(await outcome).toMatchObject({ connected: false, received: "" });
});

test.each([
  ["unknown protocols only", ["http/1.1", "spdy/3"], false],
  ["a protocol like h2", ["h2c"], false],
  ["no protocol", undefined, true],
] as const)("T-14 a client that offers %s is refused", async (_, ALPNProtocols, connected) => {
  const { ALPNProtocols: _h2, ...options } = careless;
  const offer: ConnectionOptions = ALPNProtocols === undefined ? options : { ...options, ALPNProtocols };
  const outcome = dial(server.port, offer, { early: "request" });
  expect(await server.nextVerdict()).toMatchObject({ ok: false, error: { reason: "no-alpn" } });
  expect(await outcome).toMatchObject({ connected, received: "" });
});

test("T-15 who connects and says nothing is disconnected after the handshake timeout", async () => {
  const socket = rawConnection();
  const closed = once(socket, "close");
  expect(await server.nextVerdict()).toMatchObject({ ok: false, error: { reason: "handshake-timeout" } });
  await closed;
});

test("T-15 a hello in drops, one byte each 10 ms, does not prolong the time", async () => {
  const hello = await captureClientHello(careless);
  const socket = rawConnection();
  let sent = 0;
  const drip = setInterval(() => socket.write(hello.subarray(sent, ++sent)), 10);
  const verdict = await server.nextVerdict();
  clearInterval(drip);
  expect(verdict).toMatchObject({ ok: false, error: { reason: "handshake-timeout" } });
  expect(sent).toBeLessThan(hello.length);
});

test("T-15 1,000 half-open handshakes do not hold up a proper client, and all end", async () => {
  const halfOpen = Array.from({ length: 1000 }, () => {
    const socket = rawConnection();
    return new Promise((resolve) => {
      socket.on("close", resolve);
    });
  });
  const started = performance.now();
  const outcome = properDial();
  const verdicts = await Promise.all(Array.from({ length: 1001 }, () => server.nextVerdict()));
  expect(await outcome).toMatchObject({ received: ANSWER });
  await Promise.all(halfOpen);
  expect(verdicts.filter(({ ok }) => ok)).toHaveLength(1);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("T-15 a hello in records of one byte is understood or refused, in time", async () => {
  const outcome = dialThrough((hello) => inTinyRecords(hello));
  const verdict = await server.nextVerdict();
  expect(verdict.ok || verdict.error.reason !== "handshake-timeout").toBe(true);
  await outcome;
  await expectServed();
});

test.each([
  ["zeros", Buffer.alloc(1000)],
  ["records of application data", Buffer.from("1703030005aabbccddee", "hex")],
  ["a second hello", "hello"],
  ["an alert", Buffer.from("15030300020228", "hex")],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
] as const)("T-15 %s after the hello end the handshake", async (_, garbage) => {
  const hello = await captureClientHello(careless);
  const socket = rawConnection();
  socket.write(hello);
  socket.write(garbage === "hello" ? hello : garbage);
  socket.end();
  expect(await server.nextVerdict()).toMatchObject({ ok: false });
  await expectServed();
});

test.each([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "not-tls"],
  ["an HTTP/2 preface", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "not-tls"],
  ["other bytes", Buffer.alloc(300, 7), "not-tls"],
  ["a record too long", Buffer.concat([Buffer.of(0x16, 3, 1, 0x7f, 0xff), Buffer.alloc(0x7fff)]), "handshake-failed"],
])("T-15 %s instead of a hello end the connection and are counted as such", async (_, bytes, reason) => {
  rawConnection().write(bytes);
  expect(await server.nextVerdict()).toMatchObject({ ok: false, error: { reason } });
});

test("T-15 who goes away before a hello is counted too", async () => {
  const socket = rawConnection();
  await once(socket, "connect");
  socket.destroy();
  expect(await server.nextVerdict()).toMatchObject({ ok: false, error: { reason: "connection-closed" } });
});

test("T-16 there is no renegotiation", async () => {
  const socket = connect({ ...careless, port: server.port, host: "127.0.0.1" });
  await once(socket, "secureConnect");
  await server.nextVerdict();
  const error = await new Promise((resolve) => {
    socket.on("error", resolve);
    if (socket.renegotiate({}, resolve) === false) resolve(new Error("refused at once"));
  });
  expect(error).toBeInstanceOf(Error);
  socket.destroy();
  await expectServed();
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

test.skipIf(!hasOpenssl)("T-16 a flood of KeyUpdates costs no memory and stops nobody", async () => {
  const directory = mkdtempSync(join(tmpdir(), "heddle-tls-"));
  const pem = join(directory, "client.pem");
  writeFileSync(pem, formatPem("PRIVATE KEY", exportPrivateKey(client.key)) + formatCertificates(client.chain));
  const identity = ["-cert", pem, "-key", pem, "-cert_chain", pem];
  const address = `127.0.0.1:${server.port}`;
  const flood = spawn("openssl", ["s_client", "-connect", address, ...identity, "-alpn", "h2", "-tls1_3"]);
  const ended = once(flood, "close");
  flood.stdin.on("error", () => {});
  flood.stdout.resume();
  let updates = 0;
  flood.stderr.on("data", (data: Buffer) => {
    updates += data.toString().split("KEYUPDATE").length - 1;
  });
  expect(await server.nextVerdict()).toMatchObject({ ok: true });
  const before = process.memoryUsage().rss;
  // s_client reads a command for each chunk of its input: K asks for a KeyUpdate of both sides.
  for (let count = 0; count < 500; count++) {
    flood.stdin.write("K\n");
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
  await expectServed();
  flood.kill();
  await ended;
  rmSync(directory, { recursive: true });
  expect(updates).toBeGreaterThan(100);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
});

/** A client whose first flight is changed on its way. */
async function dialThrough(change: (hello: Buffer) => Buffer) {
  const relay = createTcpServer((near) => {
    const far = rawConnection();
    near.on("error", () => {});
    near.once("data", (hello: Buffer) => {
      far.write(change(hello));
      near.pipe(far);
    });
    far.pipe(near);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const address = relay.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const outcome = await dial(port, connectOptions(clientContext(client, authority.bundle), serverId));
  relay.close();
  return outcome;
}

function throwing() {
  return () => {
    throw new Error("a bug in a callback");
  };
}
