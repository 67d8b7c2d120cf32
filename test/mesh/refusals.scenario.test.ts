import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wrongLeaves } from "#certs/testing/hostile-chains.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { AMBIENT, namespace, service, sleeper } from "../local/yaml.ts";
import { IssuedFiles } from "./issued-files.ts";
import { onNode, serverPod, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [sleeper("shop/client", { annotations: onNode(1) }), serverPod("shop/web", 2, { app: "web" })].join(""),
  "stranger.yaml": sleeper("outside/stranger", { annotations: onNode(1) }),
  "services.yaml": service("shop/loop", {
    selector: { app: "web" },
    ports: [15001, 15006, 15008].map((port) => ({ name: `p${port}`, port: port - 8000, targetPort: port })),
  }),
});
const files = new IssuedFiles();

beforeAll(() => mesh.upAndReady());
afterAll(async () => {
  files.dispose();
  await mesh.dispose();
});

const soon = { timeout: 8_000 };
const CLIENT = join(import.meta.dirname, "../programs/hbone-client.ts");

interface TunnelReport {
  readonly status?: number;
  readonly error?: string;
  readonly text?: string;
  readonly answered?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, number | boolean>>;
  readonly tls?: string;
  readonly alpn?: string;
  readonly certificate?: string;
  readonly goaway?: number;
}

/** A tunnel client that is no part of the mesh, with whatever certificate it is given. */
const tunnel = async (wish: object, from = "outside/stranger"): Promise<TunnelReport> => {
  const output = await mesh.exec(
    from,
    "node",
    CLIENT,
    JSON.stringify({ host: await mesh.address("shop/web"), ...wish }),
  );
  return JSON.parse(output.split("\n").at(-1) ?? "") as TunnelReport;
};

const trusted = () => files.issue(mesh.state, "trusted", "spiffe://cluster.local/ns/outside/sa/visitor");

const lastFailure = (node: number) => mesh.accessLog(node).findLast((line) => line.event === "failed");

// the proxy never calls itself, whoever asks and by whatever address.
const addresses: Readonly<Record<string, () => Promise<string>>> = {
  "127.0.0.1": async () => "127.0.0.1",
  "::1": async () => "::1",
  "its own address": async () => mesh.address("shop/client"),
  "its own IPv6 address": async () => mesh.address("shop/client", 6),
  "another pod's address": async () => mesh.address("shop/web"),
  "another pod's IPv6 address": async () => mesh.address("shop/web", 6),
};

test.each(Object.keys(addresses).flatMap((name) => [15001, 15006, 15008].map((port) => [name, port] as const)))(
  "A-17: a captured pod that calls %s on port %i gets a reset and not a byte",
  async (name, port) => {
    const host = (await addresses[name]?.()) ?? "";
    const { error, bytes } = await mesh.client("shop/client", "upload", host, port, 3);
    expect(error === "ECONNRESET" || (port === 15008 && error === undefined)).toBe(true);
    expect(bytes).toBe(0);
  },
);

test.each([15001, 15006])(
  "A-17: a stranger who calls port %i of a captured pod gets a reset, and the log says why",
  async (port) => {
    const { error, bytes } = await mesh.client("outside/stranger", "upload", await mesh.address("shop/web"), port, 3);
    expect([error, bytes]).toEqual(["ECONNRESET", 0]);
    await expect.poll(() => lastFailure(2), soon).toMatchObject({ reason: "self-call", direction: "inbound" });
  },
);

test.each([7001, 7006, 7008])("A-17: a service whose port %i leads to the proxy has no endpoint", async (port) => {
  const { error } = await mesh.client("shop/client", "upload", "loop", port, 3);
  expect(error).toBe("ECONNRESET");
  await expect.poll(() => lastFailure(1), soon).toMatchObject({ reason: "no-endpoint" });
});

test("A-17: nothing in a pod answers on the node's admin, metrics or readiness ports", async () => {
  for (const port of [15000, 15020, 15021]) {
    expect((await mesh.client("shop/client", "ask", "127.0.0.1", port)).error).toBe("ECONNREFUSED");
    expect((await mesh.client("shop/client", "ask", await mesh.address("shop/web"), port)).error).toBe("ECONNRESET");
  }
});

test("an independent tunnel client with a trusted certificate is served, and the application sees its address", async () => {
  const authority = `${await mesh.address("shop/web")}:8080`;
  const report = await tunnel({ ...trusted(), headers: { ":authority": authority }, body: "" });
  expect(report).toMatchObject({ status: 200, tls: "TLSv1.3", alpn: "h2" });
  expect(report.certificate).toBe("URI:spiffe://cluster.local/ns/shop/sa/web");
  expect(JSON.parse(report.text ?? "")).toMatchObject({ peer: await mesh.address("outside/stranger"), pod: "web" });
  // What a ztunnel would read: who answered, and windows that do not break tunnels.
  expect(report.headers?.baggage).toContain("k8s.namespace.name=shop,k8s.pod.name=web");
  expect(report.settings).toMatchObject({
    initialWindowSize: 256 * 1024,
    maxFrameSize: 1024 * 1024,
    maxConcurrentStreams: 200,
  });
  await expect
    .poll(() => mesh.accessLog(2).findLast((line) => line.event === "closed"), soon)
    .toMatchObject({ "src.identity": "spiffe://cluster.local/ns/outside/sa/visitor" });
});

test("100 tunnels at once through one connection are all served", async () => {
  const authority = `${await mesh.address("shop/web")}:8081`;
  const report = await tunnel({ ...trusted(), headers: { ":authority": authority }, body: "hello", count: 100 });
  expect(report).toMatchObject({ status: 200, answered: 100 });
});

test.each([
  ["H2-43: another pod's address", async () => `${await mesh.address("shop/client")}:8080`, 400, "authority-mismatch"],
  [
    "H2-43: the pod's other address",
    async () => `[${await mesh.address("shop/web", 6)}]:8080`,
    400,
    "authority-mismatch",
  ],
  ["H2-43: the loopback", async () => "127.0.0.1:8080", 400, "authority-mismatch"],
  ["a name", async () => "web.shop.svc.cluster.local:8080", 400, "bad-authority"],
  ["no port", async () => mesh.address("shop/web"), 400, "bad-authority"],
  ["port 0", async () => `${await mesh.address("shop/web")}:0`, 400, "bad-authority"],
  ["the outbound port", async () => `${await mesh.address("shop/web")}:15001`, 503, "self-call"],
  ["the inbound port", async () => `${await mesh.address("shop/web")}:15006`, 503, "self-call"],
  ["the tunnel port", async () => `${await mesh.address("shop/web")}:15008`, 503, "self-call"],
  ["a port that nobody listens on", async () => `${await mesh.address("shop/web")}:9`, 503, "connect-failed"],
])("a tunnel to %s is refused", async (_, authority, status, reason) => {
  const report = await tunnel({ ...trusted(), headers: { ":authority": await authority() } });
  expect(report.status).toBe(status);
  await expect.poll(() => lastFailure(2), soon).toMatchObject({ reason, direction: "inbound" });
});

test("a request that is not CONNECT is refused", async () => {
  const host = await mesh.address("shop/web");
  const headers = { ":method": "GET", ":scheme": "https", ":path": "/", ":authority": `${host}:8080` };
  expect((await tunnel({ ...trusted(), headers })).status).toBe(400);
  await expect.poll(() => lastFailure(2), soon).toMatchObject({ reason: "not-connect" });
});

test.each(wrongLeaves)(
  "%s: the caller is refused before a byte is served, and the reason is counted",
  async (name, changes, reason) => {
    const pem = files.issueWrong(mesh.state, name, changes);
    const report = await tunnel({ ...pem, headers: { ":authority": `${await mesh.address("shop/web")}:8080` } });
    expect(report.status).toBeUndefined();
    expect(report.settings).toBeUndefined();
    await expect.poll(() => lastFailure(2), soon).toMatchObject({ reason, response_flags: "TLS_FAILURE" });
    const samples = await mesh.metrics(2, "outside/stranger");
    const counted = samples.find(
      (sample) => sample.name === "heddle_connections_refused_total" && sample.labels.reason === reason,
    );
    expect(counted?.value).toBeGreaterThan(0);
  },
);

test("T-01: a certificate of another authority, or none at all, is refused", async () => {
  const authority = testAuthority();
  const headers = { ":authority": `${await mesh.address("shop/web")}:8080` };
  const report = await tunnel({ ...files.write("foreign", authority.credentials("shop/client")), headers });
  expect(report.status).toBeUndefined();
  await expect.poll(() => lastFailure(2), soon).toMatchObject({ reason: "untrusted-issuer" });
  expect((await tunnel({ headers })).status).toBeUndefined();
  await expect
    .poll(() => lastFailure(2), soon)
    .toMatchObject({ reason: expect.stringMatching(/no-certificate|handshake-failed/) });
});

test("T-14: a client that does not agree on h2 is refused", async () => {
  const headers = { ":authority": `${await mesh.address("shop/web")}:8080` };
  expect((await tunnel({ ...trusted(), headers, alpn: ["http/1.1"] })).status).toBeUndefined();
  expect((await tunnel({ ...trusted(), headers, alpn: [] })).status).toBeUndefined();
  await expect.poll(() => lastFailure(2), soon).toMatchObject({ reason: "no-alpn" });
});

test("T-13: TLS 1.2 is refused", async () => {
  const headers = { ":authority": `${await mesh.address("shop/web")}:8080` };
  const report = await tunnel({ ...trusted(), headers, maxVersion: "TLSv1.2" });
  expect([report.status, report.tls]).toEqual([undefined, undefined]);
});

test("bytes that are no TLS on the tunnel port end the connection, and nobody else's", async () => {
  const address = await mesh.address("shop/web");
  const { bytes } = await mesh.client("outside/stranger", "upload", address, 15008, 1_000);
  expect(bytes).toBe(0);
  expect((await mesh.ask("shop/client", address)).pod).toBe("web");
});

test("a pod that ends says so to those who have tunnels to it", async () => {
  const pem = trusted();
  const headers = { ":authority": `${await mesh.address("shop/web")}:8080` };
  const tunnels = (): number =>
    mesh.accessLog(2).filter((line) => line.event === "closed" && String(line["src.identity"]).endsWith("/visitor"))
      .length;
  const before = tunnels();
  const waiting = tunnel({ ...pem, headers, waitMs: 10_000 });
  await expect.poll(tunnels, soon).toBeGreaterThan(before);
  mesh.remove("pods.yaml");
  expect((await waiting).goaway).toBe(0);
});
