import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IssuedFiles, type PemFiles } from "../mesh/issued-files.ts";
import { BareNode, until } from "./bare-node.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

/** What the independent server said of a request, as the client got it back. */
interface Seen {
  readonly connection: number;
  readonly client: string;
  readonly from: string;
  readonly headers: Readonly<Record<string, string>>;
}

let node: BareNode;
const files = new IssuedFiles();
let server: Started;

beforeAll(async () => {
  node = await BareNode.make(["client", "other", "peer"]);
  await node.upWith("client", "other");
  server = await serve(files.issue(node.directory, "peer", "spiffe://cluster.local/ns/shop/sa/peer"));
});
afterAll(async () => {
  files.dispose();
  await node.dispose();
});

const soon = { timeout: 10_000 };

/** The tunnel server, in a pod that is no part of the mesh but says that tunnels reach it. */
const serve = async (pem: PemFiles, more: object = {}): Promise<Started> => {
  const wish = JSON.stringify({ host: "::", ...pem, ...more });
  const started = node.sandbox.start([process.execPath, join(PROGRAMS, "hbone-server.ts"), wish], { netns: "peer" });
  await until(
    () => started.output.includes("listening"),
    () => started.output,
  );
  return started;
};

/** Replaces the tunnel server; connections to the earlier one end with it. */
const serveInstead = async (pem: PemFiles, more: object = {}): Promise<void> => {
  server.kill();
  await until(
    () => server.hasEnded,
    () => server.output,
  );
  server = await serve(pem, more);
};

const call = async (port: number, command = "ask", from = "client", ...more: readonly string[]) => {
  const args = [join(PROGRAMS, "client.ts"), command, node.address("peer"), String(port), ...more];
  const output = await node.sandbox.run([process.execPath, ...args], { netns: from });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as { error?: string; text?: string; bytes?: number };
};

const seenBy = async (port: number, from = "client"): Promise<Seen> => {
  const { text = "", error } = await call(port, "ask", from);
  if (error !== undefined) throw new Error(`${error}: ${server.output}`);
  return JSON.parse(text) as Seen;
};

const events = (name: string) => server.lines.filter(({ event }) => event === name);
const peerPem = () => files.issue(node.directory, "peer", "spiffe://cluster.local/ns/shop/sa/peer");

test("a tunnel is a plain CONNECT to the pod's address and port, with the caller's certificate and headers", async () => {
  const seen = await seenBy(8080);
  expect(seen.headers).toMatchObject({
    ":method": "CONNECT",
    ":authority": `${node.address("peer")}:8080`,
    baggage: expect.stringContaining("k8s.namespace.name=shop"),
    forwarded: expect.stringMatching(new RegExp(`^for="${node.address("client")}:[0-9]+"$`)),
    traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/),
  });
  // Plain CONNECT has neither (RFC 9113 section 8.5); with them it would be the extended one of RFC 8441.
  expect(Object.keys(seen.headers).filter((name) => name.startsWith(":"))).toEqual([":method", ":authority"]);
  expect(seen.client).toBe("URI:spiffe://cluster.local/ns/shop/sa/client");
  expect(seen.from).toMatch(new RegExp(`${node.address("client")}$`));
});

test("the connection speaks h2 and names nobody (SNI), and its SETTINGS give room to tunnels", async () => {
  await seenBy(8080);
  expect(events("connection")[0]).toMatchObject({ alpn: "h2", servername: false });
  expect(events("settings")[0]).toMatchObject({
    settings: { initialWindowSize: 256 * 1024, maxFrameSize: 1024 * 1024, enablePush: false },
  });
});

test("calls of one pod share a connection, those of another pod have their own", async () => {
  const [first, second, third] = [await seenBy(8080), await seenBy(8080), await seenBy(8080, "other")];
  expect(second.connection).toBe(first.connection);
  expect(third.connection).not.toBe(first.connection);
  expect(third.client).toBe("URI:spiffe://cluster.local/ns/shop/sa/other");
});

test.each([
  [4000, "CONNECT", "refused-by-peer"],
  [4001, "DENY", "denied-by-peer"],
  [5003, "CONNECT", "peer-cannot-connect"],
])("an answer of %i is a reset for the caller, and the log says what was meant", async (port, flags, reason) => {
  expect(await call(port)).toMatchObject({ error: "ECONNRESET", bytes: 0 });
  await expect
    .poll(() => node.accessLog().findLast((line) => line.event === "failed"), soon)
    .toMatchObject({ response_flags: flags, reason });
  // The connection survives: only the tunnel was refused.
  expect((await seenBy(8080)).headers[":authority"]).toContain(":8080");
});

test("a tunnel that is broken off in the middle is a reset, not an end", async () => {
  expect(await call(4010)).toMatchObject({ error: "ECONNRESET", text: "half" });
});

test("half-close works through the tunnel in both directions", async () => {
  const { text } = await call(8085, "upload", "client", "10");
  expect(text).toHaveLength(10);
});

test("after GOAWAY the next call uses another connection, and the one that is open goes on", async () => {
  const before = (await seenBy(8080)).connection;
  const held = call(8085, "hold", "client", "3", "2000") as Promise<unknown>;
  await expect
    .poll(() => events("request").filter(({ headers }) => isEcho(headers)).length, soon)
    .toBeGreaterThanOrEqual(3);
  expect((await seenBy(4020)).connection).toBe(before);
  expect((await seenBy(8080)).connection).not.toBe(before);
  expect(await held).toMatchObject({ echoed: 3, survivors: 3 });
});

const isEcho = (headers: unknown): boolean =>
  (headers as Record<string, string>)[":authority"]?.endsWith(":8085") ?? false;

test("a server that takes one tunnel at a time gets one at a time, on as many connections as it takes", async () => {
  await serveInstead(peerPem(), { maxConcurrentStreams: 1 });
  expect(await call(8085, "hold", "client", "4", "500")).toMatchObject({ echoed: 4, survivors: 4 });
  expect(new Set(events("request").map(({ connection }) => connection)).size).toBe(4);
});

// T-19, T-20 and T-05: the certificate of the other side decides, before a byte of the request is sent.
test.each<[string, () => PemFiles, string, string]>([
  [
    "T-19: another identity of the same authority",
    () => files.issue(node.directory, "wrong", "spiffe://cluster.local/ns/shop/sa/other"),
    "unexpected-identity",
    "IDENTITY_ERROR",
  ],
  [
    "T-05: an identity of another trust domain",
    () => files.issue(node.directory, "foreign", "spiffe://other.example/ns/shop/sa/peer"),
    "unexpected-identity",
    "IDENTITY_ERROR",
  ],
])("%s gets not a byte of the request", async (_, pem, reason, flags) => {
  await serveInstead(pem());
  expect(await call(8080)).toMatchObject({ error: "ECONNRESET", bytes: 0 });
  await expect
    .poll(() => node.accessLog().findLast((line) => line.event === "failed"), soon)
    .toMatchObject({ reason, response_flags: flags });
  expect(events("request")).toEqual([]);
});

test("a server that says nothing after the handshake is given up, and nothing of the application was sent", async () => {
  await serveInstead(peerPem(), { mute: true });
  expect(await call(8080)).toMatchObject({ error: "ECONNRESET", bytes: 0 });
  await expect
    .poll(() => node.accessLog().findLast((line) => line.event === "failed"), soon)
    .toMatchObject({ reason: "tunnel-not-accepted", response_flags: "H2_HANDSHAKE_FAILURE" });
});

test("a pod whose tunnel port is closed is a reset, and the log says that the tunnel was the problem", async () => {
  server.kill();
  await until(
    () => server.hasEnded,
    () => server.output,
  );
  expect(await call(8080)).toMatchObject({ error: "ECONNRESET", bytes: 0 });
  await expect
    .poll(() => node.accessLog().findLast((line) => line.event === "failed"), soon)
    .toMatchObject({ reason: "tunnel-connect-failed", response_flags: "CONNECT" });
});
