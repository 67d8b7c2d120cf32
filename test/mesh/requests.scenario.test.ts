import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, service, sleeper } from "../local/yaml.ts";
import { type AccessLine, onNode, type Sample, serverPod, serviceAccount, sum, TalkingPods } from "./talking-pods.ts";

const HTTP_PORT = { name: "http", port: 80, targetPort: 8087, appProtocol: "http" };

const web = (name: string, selector: Readonly<Record<string, string>>): string =>
  service(`shop/${name}`, { selector, ports: [HTTP_PORT] });

const backend = (name: string) => ({ backendRefs: [{ name, port: 80 }] });

/** Requests with `version: v2` go to the second version of the shop, all others to the first. */
const CANARY = `---\n${JSON.stringify({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { namespace: "shop", name: "canary" },
  spec: {
    parentRefs: [{ group: "", kind: "Service", name: "web", port: 80 }],
    rules: [
      { matches: [{ headers: [{ name: "version", value: "v2" }] }], ...backend("web-v2") },
      { ...backend("web-v1") },
    ],
  },
})}\n`;

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    serviceAccount("shop/client"),
    sleeper("shop/client", { annotations: onNode(1), spec: { serviceAccountName: "client" } }),
    serverPod("shop/first", 2, { app: "web", version: "v1" }),
    serverPod("shop/second", 2, { app: "web", version: "v2" }),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
  "services.yaml": [
    web("web", { app: "web" }),
    web("web-v1", { app: "web", version: "v1" }),
    web("web-v2", { app: "web", version: "v2" }),
    web("nobody", { app: "nobody" }),
  ].join(""),
  "routes.yaml": CANARY,
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const soon = { timeout: 20_000 };

/** Has the client send requests, one after the other. @returns the statuses that it saw */
const send = async (url: string, count: number, headers: Readonly<Record<string, string>> = {}): Promise<number[]> => {
  const script = `
    const seen = [];
    for (let at = 0; at < ${count}; at++) {
      try {
        const answer = await fetch(${JSON.stringify(url)}, { headers: ${JSON.stringify(headers)} });
        await answer.text();
        seen.push(answer.status);
      } catch (error) {
        seen.push(String(error.cause));
      }
    }
    console.log(JSON.stringify(seen));`;
  return JSON.parse(await mesh.exec("shop/client", "node", "--input-type=module", "-e", script)) as number[];
};

const lines = (path: string): readonly AccessLine[] =>
  [1, 2].flatMap((node) => mesh.accessLog(node).filter((line) => line.path === path));

/** The metrics of both sides: of the caller on node 1 and of the called on node 2. */
const bothSides = async (): Promise<Readonly<Record<"source" | "destination", readonly Sample[]>>> => ({
  source: await mesh.metrics(1, "outside/stranger"),
  destination: await mesh.metrics(2, "outside/stranger"),
});

const isRouted = () => send("http://web/ready", 1, { version: "v2" });

const REQUEST = { source_workload: "client", destination_workload: "second", destination_service_name: "web-v2" };
const OK = { ...REQUEST, request_protocol: "http", response_code: "200", response_flags: "-" };
const SECURE = { ...OK, connection_security_policy: "mutual_tls" };

/** How many requests each side has counted, by the counter and by the histograms. */
const counts = async () => {
  const sides = await bothSides();
  const of = (reporter: "source" | "destination") => {
    const labels = { ...SECURE, reporter };
    const samples = sides[reporter];
    return {
      requests: sum(samples, "istio_requests_total", labels),
      durations: sum(samples, "istio_request_duration_milliseconds_count", labels),
      slowest: sum(samples, "istio_request_duration_milliseconds_bucket", { ...labels, le: "+Inf" }),
      responses: sum(samples, "istio_response_bytes_count", labels),
      responseBytes: sum(samples, "istio_response_bytes_sum", labels),
    };
  };
  return { source: of("source"), destination: of("destination") };
};

test("caller's and called side count each request once, in Istio's names, and agree", async () => {
  await expect.poll(isRouted, soon).toEqual([200]);
  const before = await counts();
  expect(await send("http://web/counted", 7, { version: "v2" })).toEqual(Array.from({ length: 7 }, () => 200));
  const after = async () => {
    const now = await counts();
    const more = (side: "source" | "destination", what: keyof typeof now.source): number =>
      now[side][what] - before[side][what];
    return (["source", "destination"] as const).map((side) => [
      more(side, "requests"),
      more(side, "durations"),
      more(side, "slowest"),
      more(side, "responses"),
    ]);
  };
  await expect.poll(after, soon).toEqual([
    [7, 7, 7, 7],
    [7, 7, 7, 7],
  ]);
  const now = await counts();
  expect(now.source.responseBytes).toBe(now.destination.responseBytes);
  expect(now.source.responseBytes).toBeGreaterThan(before.source.responseBytes);
});

test("each side has one line for a request, by which both can be told to be the same, and none has its query", async () => {
  expect(await send("http://web/cart/1?token=secret-of-a-query", 1, { version: "v2" })).toEqual([200]);
  await expect.poll(() => lines("/cart/1").length, soon).toBe(2);
  const [outbound, inbound] = lines("/cart/1");
  const both = {
    event: "request",
    method: "GET",
    authority: "web",
    protocol: "HTTP/1.1",
    response_code: 200,
    response_flags: "-",
    "src.workload": "client",
    "src.identity": "spiffe://cluster.local/ns/shop/sa/client",
    "dst.workload": "second",
    "dst.identity": "spiffe://cluster.local/ns/shop/sa/second",
    "dst.service": "web-v2.shop.svc.cluster.local",
    connection_security_policy: "mutual_tls",
    request_id: outbound?.request_id,
    trace_id: outbound?.trace_id,
  };
  expect(outbound).toMatchObject({
    ...both,
    direction: "outbound",
    route: "shop/canary",
    route_rule: "0",
    backend: "web-v2.shop.svc.cluster.local:80",
    attempts: 1,
  });
  expect(inbound).toMatchObject({ ...both, direction: "inbound", bytes_sent: outbound?.bytes_recv });
  for (const node of [1, 2]) {
    expect(readFileSync(join(mesh.state, `logs/node-${node}.log`), "utf8")).not.toContain("secret-of-a-query");
  }
  const { stdout } = await mesh.heddle("logs", "--node", "node-1", "--access", "shop/canary");
  expect(stdout).toMatch(/ {2}request {2}outbound {2}GET web\/cart\/1 HTTP\/1\.1 {2}200 - {2}[0-9]+ms {2}/);
});

test("the caller's side counts by rule and backend", async () => {
  const routed = async (name: string) => {
    const labels = {
      route_namespace: "shop",
      route_name: "canary",
      backend_service: `shop/${name}.shop.svc.cluster.local`,
    };
    const samples = await mesh.metrics(1, "outside/stranger");
    return [
      sum(samples, "heddle_route_requests_total", { ...labels, response_code_class: "2xx" }),
      sum(samples, "heddle_route_request_duration_milliseconds_count", labels),
    ];
  };
  await expect.poll(isRouted, soon).toEqual([200]);
  await expect.poll(async () => (await routed("web-v2"))[0], soon).toBeGreaterThan(0);
  const [[before = 0], [untouched = 0]] = [await routed("web-v1"), await routed("web-v2")];
  await send("http://web/", 5);
  await expect.poll(() => routed("web-v1"), soon).toEqual([before + 5, before + 5]);
  expect(await routed("web-v2")).toEqual([untouched, untouched]);
});

test("what the mesh answers by itself is counted with its flag and reason, and its line says why", async () => {
  expect(await send("http://nobody/lost", 3)).toEqual([503, 503, 503]);
  await expect.poll(() => lines("/lost").length, soon).toBe(3);
  expect(lines("/lost")).toMatchObject(
    Array.from({ length: 3 }, () => ({
      level: 40,
      msg: "request failed",
      direction: "outbound",
      response_code: 503,
      response_flags: "UH",
      reason: "no-endpoint",
    })),
  );
  const failed = async () => {
    const samples = await mesh.metrics(1, "outside/stranger");
    const labels = { destination_service_name: "nobody", response_code: "503", response_flags: "UH" };
    return [
      sum(samples, "istio_requests_total", { ...labels, reporter: "source" }),
      sum(samples, "heddle_requests_refused_total", { direction: "outbound", reason: "no-endpoint" }),
    ];
  };
  await expect.poll(failed, soon).toEqual([3, 3]);
});

test("paths, methods and headers of clients make no series", async () => {
  const series = async (): Promise<readonly string[]> =>
    (await mesh.metrics(1, "outside/stranger"))
      .filter(({ name }) => /request|response/.test(name))
      .map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)
      .toSorted();
  expect(await send("http://web/known", 1)).toEqual([200]);
  await expect.poll(() => lines("/known").length, soon).toBe(2);
  const before = await series();
  for (let at = 0; at < 5; at++) {
    await send(`http://web/${at}/${"x".repeat(at)}?${at}`, 1, { [`x-${at}`]: String(at), "user-agent": `agent-${at}` });
  }
  await expect.poll(() => lines("/4/xxxx").length, soon).toBe(2);
  expect(await series()).toEqual(before);
});
