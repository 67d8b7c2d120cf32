import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { inNetworkNamespace } from "../kernel/network-namespace.ts";
import { runInNamespace } from "../supervisor/namespace-command.ts";
import { readExposition } from "../testing/read-exposition.ts";
import {
  policyBytes,
  routesBytes,
  serviceBytes,
  WEB_0,
  WEB_ROUTES,
  WEB_SERVICE,
  workloadBytes,
} from "../testing/resource-bytes.ts";
import { enrolledPod, runningAgent } from "../testing/running-agent.ts";
import { mayUseNamespaces, testNamespace } from "../testing/test-namespace.ts";
import { METRICS_PORT, READY_PORT, serveHttp } from "./http-endpoints.ts";

/** The ports are fixed: the servers are in a namespace of their own, out of everybody's way. */
const inNamespaces = test.runIf(mayUseNamespaces);

const serving = async () => {
  const directory = mkdtempSync(join(tmpdir(), "heddle-agent-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const adminSocket = join(directory, "agent.sock");
  writeFileSync(adminSocket, "left behind by a killed agent");
  const running = await runningAgent({ adminSocket });
  const namespace = await testNamespace();
  const servers = await inNetworkNamespace(namespace, () => serveHttp(running.agent));
  onTestFinished(() => {
    for (const server of servers) server.close();
  });
  const curl = async (port: number, path: string, ...args: string[]): Promise<{ status: number; body: string }> => {
    const url = `http://127.0.0.1:${port}${path}`;
    const output = await runInNamespace(namespace, "curl", ["-s", "-w", "\n%{http_code}", ...args, url], "");
    const end = output.lastIndexOf("\n");
    return { status: Number(output.slice(end + 1)), body: output.slice(0, end) };
  };
  const admin = (path: string, posted?: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const method = posted === undefined ? "GET" : "POST";
      const asked = request({ socketPath: adminSocket, path, method, agent: false }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asked.on("error", reject).end(posted);
    });
  return { ...running, adminSocket, curl, admin };
};

/** Everything that the agent can hold. */
const filled = async () => {
  const running = await serving();
  const { respond, supervisor, bundle } = running;
  const worker = running.worker(0);
  respond("trust-bundle", [bundle]);
  respond("address", [
    { name: WEB_0, bytes: workloadBytes() },
    { name: WEB_SERVICE, version: "7", bytes: serviceBytes() },
  ]);
  respond("authorization", [{ name: "shop/deny", bytes: policyBytes() }]);
  respond("routing", [{ name: WEB_ROUTES, bytes: routesBytes() }]);
  supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod({ riskyCapabilities: ["NET_RAW"] }) });
  supervisor({ kind: "complete" });
  await vi.waitFor(() => expect(worker.credentials.length).toBe(1));
  return { ...running, worker };
};

inNamespaces("the node is ready when nothing is missing, and says what is", async () => {
  const { curl, supervisor, worker, respond } = await serving();
  const before = await curl(READY_PORT, "/healthz/ready");
  expect(before).toEqual({
    status: 503,
    body: "the control plane has not sent everything yet\nthe enroller has not named the pods of this node yet\nno worker runs\n",
  });
  supervisor({ kind: "complete" });
  worker();
  for (const kind of ["trust-bundle", "address", "authorization", "routing"] as const) respond(kind);
  expect(await curl(READY_PORT, "/healthz/ready")).toEqual({ status: 200, body: "ready\n" });
});

inNamespaces("the metrics are Prometheus text, under both names", async () => {
  const { curl } = await filled();
  const { status, body } = await curl(METRICS_PORT, "/metrics?x=y", "-H", "accept: application/openmetrics-text");
  expect([status, readExposition(body).length > 5]).toEqual([200, true]);
  expect((await curl(METRICS_PORT, "/metrics", "-I", "-X", "GET")).body).toContain("text/plain; version=0.0.4");
  expect((await curl(METRICS_PORT, "/stats/prometheus")).body).toBe(body);
});

inNamespaces("metrics are compressed for who takes that, and then the same", async () => {
  const { curl } = await filled();
  const { body } = await curl(METRICS_PORT, "/metrics");
  expect((await curl(METRICS_PORT, "/metrics", "--compressed", "-H", "accept-encoding: gzip;q=0.5")).body).toBe(body);
  const coding = async (accept: string) => {
    const told = await curl(METRICS_PORT, "/metrics", "-D", "-", "-o", "/dev/null", "-H", `accept-encoding: ${accept}`);
    return /^content-encoding: (.*)\r$/im.exec(told.body)?.[1];
  };
  expect(await coding("gzip")).toBe("gzip");
  expect(await coding("br, GZIP ;q=1")).toBe("gzip");
  for (const accept of ["", "br", "gzip;q=0", "gzip;q=0.000", "x-gzip-not"])
    expect(await coding(accept)).toBeUndefined();
});

inNamespaces("all series come through, however many there are", async () => {
  const { curl, worker } = await filled();
  const named = Array.from(
    { length: 5_000 },
    (_, id) => ({ id, metric: "istio_requests_total", labels: { app: `web-${id}` } }) as const,
  );
  worker.report({ kind: "counters", series: named, totals: named.map(({ id }) => [id, id + 1] as const) });
  const counted = async () =>
    readExposition((await curl(METRICS_PORT, "/metrics", "--compressed")).body).filter(
      ({ name }) => name === "istio_requests_total",
    );
  await vi.waitFor(async () => expect(await counted()).toHaveLength(5_000));
  expect((await counted()).reduce((sum, { value }) => sum + value, 0)).toBe(12_502_500);
});

inNamespaces.each([
  ["another path", "/", []],
  ["another method", "/metrics", ["-X", "POST"]],
  ["a page of the admin API", "/config_dump", []],
  ["nonsense", "/%2e%2e/metrics", []],
])("%s on the metrics port is answered with 404 and what there is", async (_, path, args) => {
  const { curl } = await serving();
  expect(await curl(METRICS_PORT, path, "--path-as-is", ...args)).toEqual({
    status: 404,
    body: "GET one of /metrics, /stats/prometheus\n",
  });
});

inNamespaces(
  "the admin API is on a socket that only its owner may open, in place of one that was left behind",
  async () => {
    const { adminSocket, admin } = await serving();
    expect(existsSync(adminSocket) && statSync(adminSocket).isSocket()).toBe(true);
    expect(statSync(adminSocket).mode & 0o777).toBe(0o600);
    expect((await admin("/")).body).toBe("GET one of /status, /config_dump, /certificates, /route-traffic\n");
  },
);

inNamespaces("the status tells of node, control plane, workers, pods and certificates", async () => {
  const { admin, worker, agent } = await filled();
  worker.report({ kind: "applied", generation: 4 });
  worker.report({ kind: "serving", slots: [1] });
  await vi.waitFor(() => expect(agent.isServed(1)).toBe(true));
  expect(JSON.parse((await admin("/status")).body)).toMatchObject({
    node: "node-1",
    ready: true,
    notReady: [],
    isolation: "full",
    controlPlane: { address: "127.0.0.1:15012", connected: true, since: "2026-01-01T00:00:00.000Z" },
    config: {
      version: "version-4",
      generation: 4,
      enforced: 4,
      resources: { address: 2, authorization: 1, "trust-bundle": 1, routing: 1 },
    },
    workers: [
      { index: 0, pid: 100, startId: "start-0", appliedGeneration: 4, restarts: 0, pods: 1, openConnections: 0 },
    ],
    pods: [
      {
        uid: "uid-web-0",
        name: "web-0",
        worker: 0,
        capture: "captured",
        identity: "spiffe://cluster.local/ns/shop/sa/web",
        riskyCapabilities: ["NET_RAW"],
      },
    ],
    certificates: [{ state: "valid", worker: 0 }],
  });
});

inNamespaces("a pod is starting until its worker serves it, and lost while its rules are", async () => {
  const { admin, supervisor } = await filled();
  const capture = async (): Promise<unknown> =>
    (JSON.parse((await admin("/status")).body) as { pods: { capture: unknown }[] }).pods[0]?.capture;
  expect(await capture()).toBe("starting");
  supervisor({ kind: "capture", slot: 1, problem: "the nft rules are gone" });
  expect(await capture()).toBe("lost");
});

inNamespaces("the dump shows every resource with its version, decoded", async () => {
  const { admin } = await filled();
  const dump = JSON.parse((await admin("/config_dump")).body) as Record<string, unknown>;
  expect(dump).toMatchObject({ node: "node-1", version: "version-4", generation: 4, enforced: 0 });
  expect(dump.resources).toMatchObject({
    "trust-bundle": [{ name: "cluster.local", version: "1" }],
    address: [
      { name: WEB_0, version: "1", value: { kind: "workload", workload: { addresses: ["10.244.1.10"] } } },
      { name: WEB_SERVICE, version: "7", value: { kind: "service", service: { addresses: ["10.96.0.10"] } } },
    ],
    authorization: [{ name: "shop/deny", version: "1", value: { name: "deny", namespace: "shop" } }],
    routing: [{ name: WEB_ROUTES, version: "1", value: { kind: "routes", routes: { port: 80 } } }],
  });
});

inNamespaces("a request is explained by what the node has", async () => {
  const { admin } = await filled();
  const question = { from: { namespace: "shop", name: "web-0" }, url: "http://10.96.0.10/" };
  const { status, body } = await admin("/explain/request", JSON.stringify(question));
  expect([status, JSON.parse(body)]).toMatchObject([
    200,
    {
      node: "node-1",
      config: { enforced: 0 },
      source: { identity: "spiffe://cluster.local/ns/shop/sa/web" },
      destination: { kind: "service", hostname: "web.shop.svc.cluster.local" },
    },
  ]);
});

inNamespaces.each([
  [
    "of a pod that nobody knows",
    '{"from":{"namespace":"shop","name":"nobody"},"url":"http://web/"}',
    400,
    /no pod shop\/nobody/,
  ],
  ["that is none", "{}", 400, /from must have/],
  ["that is not JSON", "{", 400, /SyntaxError/],
  ["that goes on and on", `"${"x".repeat(300_000)}"`, 413, /more than 262144 bytes/],
])("a question %s is refused", async (_, question, status, message) => {
  const { admin } = await filled();
  const answer = await admin("/explain/request", question);
  expect(answer).toEqual({ status, body: expect.stringMatching(message) as unknown });
  expect((await admin("/status")).status).toBe(200);
});

inNamespaces("a question before everything was heard is answered with that", async () => {
  const { admin } = await serving();
  const question = { from: { namespace: "shop", name: "web-0" }, url: "http://10.96.0.10/" };
  expect((await admin("/explain/request", JSON.stringify(question))).body).toContain("has not heard everything");
});

inNamespaces("no page holds a key in any form, and the certificates are there all the same", async () => {
  const { admin, curl, worker } = await filled();
  const credential = worker.orders.find(({ kind }) => kind === "credential");
  if (credential?.kind !== "credential") throw new Error("no key was sent");
  const pages = await Promise.all([
    admin("/status"),
    admin("/config_dump"),
    admin("/certificates"),
    curl(METRICS_PORT, "/metrics"),
    curl(READY_PORT, "/healthz/ready"),
  ]);
  const everything = pages.map(({ body }) => body).join("\n");
  const key = Buffer.from(credential.key);
  // The secret number itself is in the middle of PKCS#8: its encodings are looked for from every offset of three.
  const secret = key.subarray(36, 68);
  for (const text of [secret.toString("hex"), [...secret].join(","), [...secret].join(",\n")]) {
    expect(everything.replaceAll(/\s+/g, "")).not.toContain(text.replaceAll(/\s+/g, ""));
  }
  for (const skip of [0, 1, 2]) {
    expect(everything).not.toContain(secret.subarray(skip, skip + 27).toString("base64"));
  }
  expect(everything).not.toMatch(/PRIVATE KEY/);
  expect(everything).toContain(new X509Certificate(credential.chain[0] ?? "").serialNumber.toLowerCase());
});
