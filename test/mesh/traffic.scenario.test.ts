import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WireTap } from "#cli/demo/wire-tap.ts";
import { UnixClient } from "#local/socket/unix-client.ts";
import { AMBIENT, namespace, service, sleeper } from "../local/yaml.ts";
import { onNode, serverPod, serviceAccount, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    serviceAccount("shop/client"),
    sleeper("shop/client", { annotations: onNode(1), spec: { serviceAccountName: "client" } }),
    serverPod("shop/near", 1, { app: "web" }),
    serverPod("shop/far", 2, { app: "web" }),
    sleeper("outside/stranger", { annotations: onNode(1) }),
    serverPod("outside/foreign", 2, { app: "foreign" }),
  ].join(""),
  "services.yaml": [
    service("shop/web", {
      ipFamilyPolicy: "RequireDualStack",
      selector: { app: "web" },
      ports: [
        { name: "whoami", port: 80, targetPort: "whoami" },
        { name: "echo", port: 85, targetPort: 8085 },
      ],
    }),
    service("shop/headless", { clusterIP: "None", selector: { app: "web" }, ports: [{ port: 8080 }] }),
    service("shop/nobody", { selector: { app: "nobody" }, ports: [{ port: 80 }] }),
    service("outside/foreign", { selector: { app: "foreign" }, ports: [{ port: 80, targetPort: 8080 }] }),
  ].join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const soon = { timeout: 8_000 };
const FAMILIES = [4, 6] as const;

/** What both nodes logged of the latest connection to a port of a server pod. */
const inbound = (node: number, pod: string, event: string) =>
  mesh
    .accessLog(node)
    .findLast((line) => line.direction === "inbound" && line["dst.workload"] === pod && line.event === event);

for (const family of FAMILIES) {
  test.each([
    ["another node", "shop/far", 2],
    ["the same node", "shop/near", 1],
  ])(
    `a pod on %s is reached by its IPv${family} address, over mutual TLS, from the caller's own address`,
    async (_, pod, node) => {
      const said = await mesh.ask("shop/client", await mesh.address(pod, family));
      expect(said.peer).toBe(await mesh.address("shop/client", family));
      expect(said.own).toBe(await mesh.address(pod, family));
      await expect
        .poll(() => inbound(node, pod.slice("shop/".length), "closed"), soon)
        .toMatchObject({
          "src.identity": "spiffe://cluster.local/ns/shop/sa/client",
          "dst.identity": `spiffe://cluster.local/ns/shop/sa/${pod.slice("shop/".length)}`,
          "src.workload": "client",
          connection_security_policy: "mutual_tls",
        });
    },
  );

  test(`a service is reached by its IPv${family} address, and its endpoints take turns`, async () => {
    const dump = (await mesh.heddle("status", "-o", "json")).code;
    expect(dump).toBe(0);
    const address = await serviceAddress("web.shop", family);
    const pods = [];
    for (let call = 0; call < 4; call++) pods.push((await mesh.ask("shop/client", address, 80)).pod);
    expect(pods.toSorted()).toEqual(["far", "far", "near", "near"]);
    expect(pods[0]).not.toBe(pods[1]);
  });
}

/** As the pod's own hosts file says. */
const serviceAddress = async (name: string, family: 4 | 6): Promise<string> => {
  const hosts = await mesh.exec("shop/client", "cat", "/etc/hosts");
  const line = hosts
    .split("\n")
    .find((each) => each.split(/\s+/).includes(name) && each.includes("::") === (family === 6));
  return line?.split(/\s+/)[0] ?? `no address of ${name} in ${hosts}`;
};

test("both ends of a tunnel log the same trace id, the address called, and the bytes as their own workload saw them", async () => {
  await mesh.client("shop/client", "upload", await serviceAddress("web.shop", 4), 85, 1_000);
  const outbound = () =>
    mesh
      .accessLog(1)
      .findLast(
        (line) => line.direction === "outbound" && line.event === "closed" && line["dst.service"] !== undefined,
      );
  await expect.poll(outbound, soon).toMatchObject({
    "dst.service": "web.shop.svc.cluster.local",
    bytes_sent: 1_000,
    bytes_recv: 1_000,
  });
  const traceId = outbound()?.trace_id;
  const peers = () => [...mesh.accessLog(1), ...mesh.accessLog(2)].filter((line) => line.trace_id === traceId);
  await expect
    .poll(
      () =>
        peers()
          .map(({ direction, event }) => `${direction} ${event}`)
          .sort(),
      soon,
    )
    .toEqual(["inbound closed", "inbound opened", "outbound closed", "outbound opened"]);
  expect(peers().every((line) => line["dst.service"] === "web.shop.svc.cluster.local")).toBe(true);
});

test("a headless service's name leads to its pods, through tunnels", async () => {
  const said = await mesh.ask("shop/client", "headless");
  expect(["near", "far"]).toContain(said.pod);
  expect(said.peer).toMatch(/^(10\.244\.|fd00:10:244:)/);
  await expect
    .poll(() => inbound(said.pod === "near" ? 1 : 2, said.pod, "closed"), soon)
    .toMatchObject({ connection_security_policy: "mutual_tls" });
});

test("a service without a selector leads where its EndpointSlice says", async () => {
  const address = await mesh.address("outside/foreign");
  mesh.write(
    "selectorless.yaml",
    service("shop/external", { ports: [{ name: "x", port: 7000 }] }) +
      `---\n${JSON.stringify({
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name: "external-1", namespace: "shop", labels: { "kubernetes.io/service-name": "external" } },
        addressType: "IPv4",
        ports: [{ name: "x", port: 8080 }],
        endpoints: [{ addresses: [address], conditions: { ready: true } }],
      })}\n`,
  );
  const callers = (await mesh.pod("shop/client"))?.addresses ?? [];
  await expect
    .poll(() => mesh.ask("shop/client", "external", 7000).catch(String), soon)
    .toMatchObject({ pod: "foreign", peer: expect.toBeOneOf([...callers]) });
});

test("a service without endpoints is reset, and the log says why", async () => {
  const { error, text } = await mesh.client("shop/client", "ask", "nobody", 80);
  expect([error, text]).toEqual(["ECONNRESET", ""]);
  await expect
    .poll(() => mesh.accessLog(1).findLast((line) => line.event === "failed"), soon)
    .toMatchObject({ reason: "no-endpoint", "dst.service": "nobody.shop.svc.cluster.local", direction: "outbound" });
});

test("a port that a service does not have is reset, and the log names those it has", async () => {
  const { error } = await mesh.client("shop/client", "ask", await serviceAddress("web.shop", 4), 81);
  expect(error).toBe("ECONNRESET");
  await expect
    .poll(() => mesh.accessLog(1).findLast((line) => line.event === "failed"), soon)
    .toMatchObject({ reason: "no-such-service-port", error: "web.shop.svc.cluster.local has no port 81, only 80, 85" });
});

test("a captured pod reaches one outside the mesh in clear, by service and by address, and the log says why in clear", async () => {
  const own = await mesh.address("shop/client");
  expect((await mesh.ask("shop/client", await serviceAddress("foreign.outside", 4), 80)).peer).toBe(own);
  expect((await mesh.ask("shop/client", await mesh.address("outside/foreign"))).peer).toBe(own);
  await expect
    .poll(() => mesh.accessLog(1).findLast((line) => line.event === "closed"), soon)
    .toMatchObject({
      direction: "outbound",
      connection_security_policy: "none",
      plaintext_reason: "peer-not-in-mesh",
      "dst.workload": "foreign",
    });
});

test.each(FAMILIES)(
  "a pod outside the mesh reaches a captured one over IPv%i, and its address is kept",
  async (family) => {
    const said = await mesh.ask("outside/stranger", await mesh.address("shop/far", family));
    expect(said.peer).toBe(await mesh.address("outside/stranger", family));
    await expect
      .poll(() => inbound(2, "far", "closed"), soon)
      .toMatchObject({ connection_security_policy: "none", "src.workload": "stranger" });
  },
);

test("an address that the mesh does not know is passed through", async () => {
  const samples = await mesh.metrics(2, "shop/client");
  expect(samples.find(({ name }) => name === "istio_build")?.labels).toMatchObject({ component: "heddle" });
  await expect
    .poll(() => mesh.accessLog(1).findLast((line) => line.event === "closed"), soon)
    .toMatchObject({ plaintext_reason: "unknown-address" });
});

test("a pod reaches itself, by its own address without the mesh and by its service through it", async () => {
  const own = await mesh.address("shop/far");
  const direct = await mesh.ask("shop/far", own);
  expect([direct.peer, direct.pod]).toEqual([own, "far"]);
  const loopback = await mesh.ask("shop/far", "127.0.0.1");
  expect(loopback.peer).toBe("127.0.0.1");
  const calls = [await mesh.ask("shop/far", "web", 80), await mesh.ask("shop/far", "web", 80)];
  expect(calls.map(({ pod }) => pod).toSorted()).toEqual(["far", "near"]);
});

test("what the nodes send each other is readable in clear without the mesh, and not with it", async () => {
  const secret = "account=4000123456789010";
  const seen = async (from: string): Promise<{ readonly shows: boolean; readonly encrypted: number }> => {
    const client = new UnixClient(join(mesh.state, "heddle.sock"));
    const tap = await WireTap.open(client, "node-2");
    await mesh.client(from, "prefixed", await mesh.address("shop/far"), 8085, secret, 10);
    const capture = await tap.close();
    await client.close();
    return { shows: capture.shows(secret), encrypted: capture.encryptedFrames };
  };
  expect((await seen("outside/stranger")).shows).toBe(true);
  const tunnelled = await seen("shop/client");
  expect(tunnelled.shows).toBe(false);
  expect(tunnelled.encrypted).toBeGreaterThan(0);
});

test("UDP passes untouched", async () => {
  const address = await mesh.address("shop/far");
  const receiver = mesh.exec("shop/far", "node", "-e", RECEIVER);
  const sender = `const s = require("dgram").createSocket("udp4"); let n = 0;
    const t = setInterval(() => { s.send("hello", 9999, "${address}"); if (++n > 40) { clearInterval(t); s.close(); } }, 50);`;
  await mesh.exec("shop/client", "node", "-e", sender);
  expect(await receiver).toBe(`hello from ${await mesh.address("shop/client")}`);
});

const RECEIVER = `const s = require("dgram").createSocket("udp4").bind(9999);
  s.on("message", (m, { address }) => { console.log(m + " from " + address); s.close(); });
  setTimeout(() => process.exit(), 5000).unref();`;
