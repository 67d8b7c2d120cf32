import { fromBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, test, vi } from "vitest";
import type { DeltaDiscoveryResponse } from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { AddressSchema } from "#api/gen/istio/workload/workload_pb.js";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { MemorySource } from "../testing/memory-source.ts";
import { type ControlStream, NodeClient, publishedRoots, summarize } from "../testing/node-client.ts";
import { type Fields, peerAuthenticationYaml, podYaml, routeYaml, serviceYaml } from "../testing/objects.ts";
import { startControlPlane } from "../testing/running-control-plane.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";

const POD_A = "Kubernetes//Pod/shop/a";
const POD_B = "Kubernetes//Pod/shop/b";
const SERVICE = "shop/web.shop.svc.cluster.local";
const STRICT = "istio-system/istio_converted_static_strict";

const podA = (fields: Parameters<typeof podYaml>[1] = {}) => podYaml("shop/a", { ip: "10.0.0.1", ...fields });
const podB = podYaml("shop/b", { ip: "10.0.0.2", node: "node-2" });
const strict = peerAuthenticationYaml("shop/p", { mtls: { mode: "STRICT" } });
const web = serviceYaml("shop/web", { clusterIP: "10.96.0.1", selector: { app: "web" }, ports: [{ port: 80 }] });

const served = async (...objects: readonly Fields[]) => {
  const source = new MemorySource(...objects);
  const controlPlane = await startControlPlane({ source });
  const join = async (node = "node-1", instance?: string): Promise<ControlStream> =>
    (await NodeClient.join(controlPlane, node, instance)).openStream();
  return { source, controlPlane, join };
};

const only = (response: DeltaDiscoveryResponse) => summarize([response])[0];
const versions = ({ resources }: DeltaDiscoveryResponse): Record<string, string> =>
  Object.fromEntries(resources.map(({ name, version }) => [name, version]));

test("a node that asks for everything gets it, typed and versioned, and later what changes", async () => {
  const { source, join } = await served(podA(), web);
  const stream = await join();
  const first = await stream.acceptAll(ADDRESS_TYPE);
  expect(only(first)).toEqual({ type: "Address", resources: [POD_A, SERVICE], removed: [] });
  expect(first.systemVersionInfo).toMatch(/^[0-9a-f]{16}$/);
  const bodies = first.resources.map(({ resource }) => fromBinary(AddressSchema, resource?.value ?? new Uint8Array()));
  expect(new Set(bodies.map(({ type }) => type.case))).toEqual(new Set(["service", "workload"]));
  expect(first.resources[0]?.resource?.typeUrl).toBe(ADDRESS_TYPE);
  source.put(podB);
  expect(only(await stream.accept())).toEqual({ type: "Address", resources: [POD_B], removed: [] });
  source.remove("Pod shop/a");
  expect(only(await stream.accept())).toEqual({ type: "Address", resources: [], removed: [POD_A] });
  await stream.expectQuiet();
});

test("objects that come close together are one response", async () => {
  const { source, join } = await served();
  const stream = await join();
  await stream.acceptAll(ADDRESS_TYPE);
  source.put(podA());
  source.put(podB);
  expect(only(await stream.accept())?.resources).toEqual([POD_A, POD_B]);
});

test("several types on one stream are independent, each with its own nonces", async () => {
  const { source, controlPlane, join } = await served(podA(), strict);
  const stream = await join();
  for (const type of [ADDRESS_TYPE, AUTHORIZATION_TYPE, TRUST_BUNDLE_TYPE]) stream.send(type);
  const answers = [await stream.next(), await stream.next(), await stream.next()];
  expect(answers.map(only)).toEqual([
    { type: "Address", resources: [POD_A], removed: [] },
    { type: "Authorization", resources: [STRICT], removed: [] },
    { type: "TrustBundle", resources: ["cluster.local"], removed: [] },
  ]);
  expect(new Set(answers.map(({ nonce }) => nonce)).size).toBe(3);
  // The trust bundle is not answered at all, and holds nothing else up.
  for (const answer of answers.slice(0, 2)) stream.ack(answer);
  source.put(podB);
  expect(only(await stream.accept())).toEqual({ type: "Address", resources: [POD_B], removed: [] });
  const [node] = await controlPlane.admin.nodes();
  expect(node?.types.map(({ type, acked }) => [type, acked])).toEqual([
    [ADDRESS_TYPE, true],
    [AUTHORIZATION_TYPE, true],
    [TRUST_BUNDLE_TYPE, false],
  ]);
});

test("X-04: policies go to the nodes whose workloads they concern, before the workload and gone after it", async () => {
  const { source, join } = await served(podA(), podB);
  const [first, second] = [await join("node-1"), await join("node-2")];
  for (const stream of [first, second]) {
    await stream.acceptAll(AUTHORIZATION_TYPE);
    await stream.acceptAll(ADDRESS_TYPE);
  }
  const selector = { matchLabels: { app: "a" } };
  source.put(
    podA({ labels: { app: "a" } }),
    peerAuthenticationYaml("shop/q", { selector, portLevelMtls: { 80: { mode: "STRICT" } } }),
  );
  const name = "shop/converted_peer_authentication_q";
  expect([only(await first.accept()), only(await first.accept())]).toEqual([
    { type: "Authorization", resources: [name], removed: [] },
    { type: "Address", resources: [POD_A], removed: [] },
  ]);
  expect(only(await second.accept())).toEqual({ type: "Address", resources: [POD_A], removed: [] });
  source.remove("PeerAuthentication shop/q");
  const update = await first.next();
  expect(only(update)).toEqual({ type: "Address", resources: [POD_A], removed: [] });
  await first.expectQuiet();
  first.ack(update);
  expect(only(await first.accept())).toEqual({ type: "Authorization", resources: [], removed: [name] });
  await second.accept();
  await second.expectQuiet();
});

const canary = (version: string) => serviceYaml(`shop/web-${version}`, { clusterIP: "None", ports: [{ port: 80 }] });
const routeTo = (version: string) =>
  routeYaml("HTTPRoute", "shop/r", {
    parentRefs: [{ group: "", kind: "Service", name: "web", port: 80 }],
    rules: [{ backendRefs: [{ name: `web-${version}`, port: 80 }] }],
  });
const canaryName = (version: string) => `shop/web-${version}.shop.svc.cluster.local`;

test("X-04: routes come after the backends that they lead to, and backends go after the routes that led to them", async () => {
  const { source, join } = await served(web, canary("v1"), routeTo("v1"));
  const stream = await join();
  await stream.acceptAll(ADDRESS_TYPE);
  expect(only(await stream.acceptAll(ROUTING_TYPE))).toEqual({
    type: "Routing",
    resources: [`${SERVICE}:80`],
    removed: [],
  });
  source.put(canary("v2"), routeTo("v2"));
  source.remove("Service shop/web-v1");
  const added = await stream.next();
  expect(only(added)).toEqual({ type: "Address", resources: [canaryName("v2")], removed: [] });
  await stream.expectQuiet();
  stream.ack(added);
  const routed = await stream.next();
  expect(only(routed)).toEqual({ type: "Routing", resources: [`${SERVICE}:80`], removed: [] });
  await stream.expectQuiet();
  stream.ack(routed);
  expect(only(await stream.accept())).toEqual({ type: "Address", resources: [], removed: [canaryName("v1")] });
  await stream.expectQuiet();
});

test("a client that acknowledges nothing before it has heard of every type hears of every type", async () => {
  const { join } = await served(web, canary("v1"), routeTo("v1"), podA(), strict);
  const stream = await join();
  for (const type of [TRUST_BUNDLE_TYPE, ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE]) stream.send(type);
  const answers = [await stream.next(), await stream.next(), await stream.next(), await stream.next()];
  expect(answers.map((answer) => only(answer)?.type)).toEqual(["TrustBundle", "Address", "Authorization", "Routing"]);
});

test("a client that does not know routes never hears of them, and waits for nothing because of them", async () => {
  const { source, controlPlane, join } = await served(web, canary("v1"), routeTo("v1"));
  const stream = await join();
  await stream.acceptAll(AUTHORIZATION_TYPE);
  await stream.acceptAll(ADDRESS_TYPE);
  source.put(canary("v2"), routeTo("v2"));
  source.remove("Service shop/web-v1");
  expect(only(await stream.accept())).toEqual({
    type: "Address",
    resources: [canaryName("v2")],
    removed: [canaryName("v1")],
  });
  source.put(routeTo("v3"));
  await stream.expectQuiet();
  const [node] = await controlPlane.admin.nodes();
  expect(node?.held).toBe(node?.wanted);
});

test("names and addresses can be asked for one by one, as an on-demand client does", async () => {
  const { source, join } = await served(podA({ labels: { app: "web" } }), web);
  const stream = await join();
  stream.send(ADDRESS_TYPE, { resourceNamesSubscribe: ["*"], resourceNamesUnsubscribe: ["*"] });
  await stream.expectQuiet();
  stream.send(ADDRESS_TYPE, { resourceNamesSubscribe: ["/10.96.0.1", "/10.0.0.9"] });
  const answer = await stream.accept();
  expect(only(answer)).toEqual({ type: "Address", resources: [POD_A, SERVICE], removed: ["/10.0.0.9"] });
  expect(answer.resources.find(({ name }) => name === SERVICE)?.aliases).toEqual(["/10.96.0.1"]);
  source.put(podYaml("shop/new", { ip: "10.0.0.9" }), podB);
  expect(only(await stream.accept())?.resources).toEqual(["Kubernetes//Pod/shop/new"]);
});

test("X-01: a refusal is kept with its reason, the good part is not sent again, and a repair ends it", async () => {
  const { source, controlPlane, join } = await served(podA(), podB);
  const stream = await join();
  await stream.acceptAll(AUTHORIZATION_TYPE);
  stream.send(ADDRESS_TYPE);
  stream.nack(await stream.next(), `${POD_A}: no such protocol`);
  const nodeStatus = async () => (await controlPlane.admin.nodes())[0];
  await vi.waitFor(async () => {
    const node = await nodeStatus();
    expect(node?.types[1]).toMatchObject({ acked: false, nack: `${POD_A}: no such protocol` });
    expect(node?.held).not.toBe(node?.wanted);
  });
  source.put(podA({ ready: false }));
  expect(only(await stream.accept())).toEqual({ type: "Address", resources: [POD_A], removed: [] });
  await vi.waitFor(async () => {
    const node = await nodeStatus();
    expect(node?.types[1]).toMatchObject({ acked: true });
    expect(node?.types[1]?.nack).toBe(undefined);
    expect(node?.held).toBe(node?.wanted);
  });
});

test("X-02: what was refused is not sent again while it is the same, whatever else happens", async () => {
  const { source, join } = await served(podA());
  const stream = await join();
  stream.send(ADDRESS_TYPE);
  stream.nack(await stream.next(), `${POD_A}: bad`);
  for (let count = 0; count < 5; count++) {
    source.put(podA(), podYaml("shop/c", { ip: `10.0.1.${count}` }));
    expect(only(await stream.accept())?.resources).toEqual(["Kubernetes//Pod/shop/c"]);
  }
});

test("X-03: a stale nonce answers nothing, but the names that come with it count", async () => {
  const { join } = await served(podA(), podB);
  const stream = await join();
  stream.send(ADDRESS_TYPE, { resourceNamesSubscribe: [POD_A] });
  const first = await stream.next();
  stream.send(ADDRESS_TYPE, { responseNonce: "no such nonce", resourceNamesSubscribe: [POD_B] });
  await stream.expectQuiet();
  stream.ack(first);
  expect(only(await stream.accept())?.resources).toEqual([POD_B]);
});

test("X-03: a type that nobody publishes is answered with nothing, its names as removed", async () => {
  const { join } = await served(podA());
  const stream = await join();
  stream.send("type.googleapis.com/envoy.config.cluster.v3.Cluster", { resourceNamesSubscribe: ["x"] });
  expect(only(await stream.accept())).toEqual({ type: "Cluster", resources: [], removed: ["x"] });
  expect(only(await stream.acceptAll(ADDRESS_TYPE))?.resources).toEqual([POD_A]);
});

test.each([
  ["no type", (stream: ControlStream) => stream.send("")],
  [
    "types without end",
    (stream: ControlStream) => Array.from({ length: 20 }, (_, index) => stream.send(`type${index}`)),
  ],
  [
    "a name without end",
    (stream: ControlStream) => stream.send(ADDRESS_TYPE, { resourceNamesSubscribe: ["x".repeat(2_000)] }),
  ],
])("X-03: a request with %s ends the stream with a reason, and no other", async (_, send) => {
  const { join } = await served(podA());
  const other = await join("node-2");
  const stream = await join();
  send(stream);
  expect((await stream.ended()).code).toBe(status.INVALID_ARGUMENT);
  expect(only(await other.acceptAll(ADDRESS_TYPE))?.resources).toEqual([POD_A]);
});

test("X-03: a message over the limit ends the stream, and no other", async () => {
  const { join } = await served(podA());
  const other = await join("node-2");
  const stream = await join();
  const initialResourceVersions = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`${index}`, "x".repeat(2 ** 20)]),
  );
  stream.send(ADDRESS_TYPE, { initialResourceVersions });
  expect((await stream.ended()).code).toBe(status.RESOURCE_EXHAUSTED);
  expect(only(await other.acceptAll(ADDRESS_TYPE))?.resources).toEqual([POD_A]);
});

test("X-03: requests without end end the stream, once", async () => {
  const { controlPlane, join } = await served(podA());
  const stream = await join();
  for (let count = 0; count < 1_200; count++) stream.send(ADDRESS_TYPE, { responseNonce: "0" });
  expect((await stream.ended()).code).toBe(status.RESOURCE_EXHAUSTED);
  const told = controlPlane.log.lines.filter(({ message }) => message.includes("ended the control stream"));
  expect(told.length).toBe(1);
});

test("X-05: the removal of everything is sent as what it is: names that are gone", async () => {
  const { source, join } = await served(podA(), podB, web);
  const stream = await join();
  await stream.acceptAll(ADDRESS_TYPE);
  source.remove("Pod shop/a", "Pod shop/b", "Service shop/web");
  expect(only(await stream.accept())).toEqual({ type: "Address", resources: [], removed: [POD_A, POD_B, SERVICE] });
});

test("X-06: a newer stream of a node replaces the older, and brings only what is different", async () => {
  const { source, controlPlane, join } = await served(podA(), podB);
  const first = await join();
  const held = versions(await first.acceptAll(ADDRESS_TYPE));
  const second = await join();
  expect(await first.ended()).toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining("newer") as string,
  });
  expect((await controlPlane.admin.nodes()).map(({ node, connected }) => [node, connected])).toEqual([
    ["node-1", true],
  ]);
  source.put(podA({ ready: false }));
  source.remove("Pod shop/b");
  second.send(ADDRESS_TYPE, { initialResourceVersions: held });
  await vi.waitFor(async () => expect((await controlPlane.admin.dump()).workloads.length).toBe(1));
  second.cancel();
  const third = await join();
  third.send(ADDRESS_TYPE, { initialResourceVersions: held });
  expect(only(await third.accept())).toEqual({ type: "Address", resources: [POD_A], removed: [POD_B] });
  expect((await controlPlane.admin.nodes()).length).toBe(1);
});

test("during an upgrade a node has two streams, and holds what both hold", async () => {
  const { source, controlPlane, join } = await served(podA());
  const older = await join("node-1", "before");
  for (const type of [ADDRESS_TYPE, AUTHORIZATION_TYPE]) await older.acceptAll(type);
  const newer = await join("node-1", "after");
  for (const type of [ADDRESS_TYPE, AUTHORIZATION_TYPE]) await newer.acceptAll(type);
  await older.expectQuiet();
  const node = async () => (await controlPlane.admin.nodes())[0];
  await vi.waitFor(async () => expect((await node())?.held).toBe((await node())?.wanted));
  source.put(podB);
  await newer.accept();
  const unanswered = await older.next();
  expect((await node())?.held).not.toBe((await node())?.wanted);
  older.ack(unanswered);
  await vi.waitFor(async () => expect((await node())?.held).toBe((await node())?.wanted));
  older.cancel();
  source.remove("Pod shop/b");
  await newer.accept();
  expect((await controlPlane.admin.nodes()).map(({ node: name, connected }) => [name, connected])).toEqual([
    ["node-1", true],
  ]);
});

test("a third set of processes of a node ends the oldest, and a newer stream of one set its older", async () => {
  const { join } = await served(podA());
  const first = await join("node-1", "one");
  const second = await join("node-1", "two");
  await first.acceptAll(ADDRESS_TYPE);
  await second.acceptAll(ADDRESS_TYPE);
  const again = await join("node-1", "two");
  expect((await second.ended()).details).toContain("newer");
  await again.acceptAll(ADDRESS_TYPE);
  await join("node-1", "three");
  expect((await first.ended()).details).toContain("newer");
  await again.expectQuiet();
});

test("X-06: after a restart of the control plane the same objects have the same versions", async () => {
  const directory = temporaryDirectory();
  const objects = [podA(), podB, web, strict];
  const first = await startControlPlane({ directory, source: new MemorySource(...objects) });
  const before = await (await NodeClient.join(first, "node-1")).openStream().acceptAll(ADDRESS_TYPE);
  await first.stop();
  const second = await startControlPlane({ directory, source: new MemorySource(...objects.toReversed()) });
  const stream = (await NodeClient.join(second, "node-1")).openStream();
  stream.send(ADDRESS_TYPE, { initialResourceVersions: versions(before) });
  const after = await stream.accept();
  expect(only(after)).toEqual({ type: "Address", resources: [], removed: [] });
  expect(after.systemVersionInfo).toBe(before.systemVersionInfo);
});

test("X-06: a stream ends with the token that opened it", async () => {
  const clock = new ManualClock(Date.now());
  const controlPlane = await startControlPlane({ clock, source: new MemorySource(podA()) });
  const token = await controlPlane.admin.joinToken("node-1", 60);
  const stream = new NodeClient(controlPlane.target, publishedRoots(controlPlane), token).openStream();
  await stream.acceptAll(ADDRESS_TYPE);
  clock.advance(60_000);
  expect((await stream.ended()).code).toBe(status.UNAUTHENTICATED);
  expect((await controlPlane.admin.nodes())[0]?.connected).toBe(false);
});

test("X-07: what a client does not claim after a refusal is sent to it again", async () => {
  const { join } = await served(podA(), podB);
  const first = await join();
  first.send(ADDRESS_TYPE);
  const answer = await first.next();
  first.nack(answer, `${POD_A}: bad`);
  first.cancel();
  const { [POD_A]: _refused, ...claimed } = versions(answer);
  const second = await join();
  second.send(ADDRESS_TYPE, { initialResourceVersions: claimed });
  expect(only(await second.accept())).toEqual({ type: "Address", resources: [POD_A], removed: [] });
});

test("X-08: a client sees a control plane with other roots, or another name, for what it is", async () => {
  const { controlPlane } = await served(podA());
  const token = await controlPlane.admin.joinToken("node-1");
  const foreign = Buffer.from(formatCertificates(testAuthority().bundle.roots));
  const roots = publishedRoots(controlPlane);
  for (const client of [
    new NodeClient(controlPlane.target, foreign, token),
    new NodeClient(controlPlane.target, roots, token, "Kubernetes", "istiod.istio-system.svc"),
  ]) {
    expect((await client.openStream().ended()).code).toBe(status.UNAVAILABLE);
  }
});

test.each([
  ["without a token", "", "Kubernetes"],
  ["with a token that is none", "abc", "Kubernetes"],
  ["that thinks it is in another cluster", undefined, "west"],
])("a caller %s learns nothing but that it is not authenticated", async (_, token, cluster) => {
  const { controlPlane } = await served(podA());
  const own = token ?? (await controlPlane.admin.joinToken("node-1"));
  const stream = new NodeClient(controlPlane.target, publishedRoots(controlPlane), own, cluster).openStream();
  stream.send(ADDRESS_TYPE);
  const error = await stream.ended();
  expect(error.code).toBe(status.UNAUTHENTICATED);
  expect(error.details).toMatch(/^not authenticated: send a valid join token/);
  expect(stream.responses).toEqual([]);
  expect(controlPlane.log.lines.some(({ message }) => message.includes("the caller is no node"))).toBe(true);
});
