import { expect, test, vi } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { clientContext } from "#certs/tls/tls-contexts.ts";
import { serviceName } from "#mesh/service.ts";
import { exampleService, exampleWorkload, ip, snapshotWith } from "#mesh/testing/examples.ts";
import { type Workload, workloadIdentity } from "#mesh/workload.ts";
import { loopbackServer } from "../testing/loopback.ts";
import { takeLines, testVitals } from "../testing/test-vitals.ts";
import { suppliedStocks } from "../testing/outbound-sockets.ts";
import { FakeByteStream } from "../testing/fake-byte-stream.ts";
import { TunnelError } from "../tunnel/tunnel.ts";
import { connectDestination } from "./connect-destination.ts";
import { guardOutbound } from "./guard/inbound.ts";
import type { Destination } from "./route/destination.ts";
import { RoundRobin } from "./select/round-robin.ts";
import type { ServedPod } from "./served-pod.ts";
import { readSettings } from "./settings.ts";
import { TunnelDialError } from "./upstream/tunnel-dial.ts";
import type { PoolKey, TunnelPool } from "./upstream/tunnel-pool.ts";
import { ConnectionRecord } from "./vitals/connection-record.ts";
import { Counters } from "./vitals/counters.ts";
import { FlowLog } from "./vitals/flow-log.ts";

const authority = testAuthority();
const SETTINGS = readSettings({ HEDDLE_WORKER: "0" });
const SERVICE = exampleService();
const SOURCE = { address: ip("10.244.1.200"), port: 40_000 };
const CALLED = { address: ip("10.96.0.10"), port: 80 };
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const STREAM = new FakeByteStream();

const endpoint = (number: number, changes: Partial<Workload> = {}): Workload =>
  exampleWorkload({ name: `web-${number}`, addresses: [ip(`10.244.1.${number}`)], ...changes });

/** A pod that calls, with tunnels that open as a test says, and what was told of the connection. */
const calling = (workloads: readonly Workload[], open: TunnelPool["open"] = () => Promise.resolve(STREAM)) => {
  const snapshot = snapshotWith({
    workloads: new Map(workloads.map((workload) => [workload.uid, workload])),
    services: new Map([[serviceName(SERVICE), SERVICE]]),
  });
  const { stocks, taken } = suppliedStocks();
  const opened = vi.fn<TunnelPool["open"]>(open);
  const pod = {
    identity: authority.id("shop/cart"),
    workload: exampleWorkload({ name: "cart-0", serviceAccount: "cart" }),
    dialAs: { context: clientContext(authority.credentials("shop/cart"), authority.bundle), generation: 5 },
    tunnels: { open: opened },
    stocks,
    gone: new AbortController().signal,
    isGone: false,
  };
  const flows = new FlowLog();
  const record = new ConnectionRecord(
    testVitals(new Counters(), flows, () => 0),
    { direction: "outbound", traceId: TRACE, source: SOURCE, destination: CALLED },
  );
  const permit = guardOutbound({
    identity: pod.identity,
    sourceIp: SOURCE.address,
    destinationIp: CALLED.address,
    destinationPort: CALLED.port,
  });
  const mesh = { snapshot: () => snapshot, roundRobin: new RoundRobin(), settings: SETTINGS };
  const toService: Destination = {
    kind: "service",
    service: SERVICE,
    port: { port: 80, targetPort: 8080, protocol: "unknown" },
    called: CALLED,
  };
  const connect = (destination: Exclude<Destination, { kind: "refused" }> = toService) =>
    connectDestination(mesh, pod as unknown as ServedPod, SOURCE, destination, record, permit);
  /** The line of the connection, if it were opened now. */
  const line = () => {
    record.open();
    return takeLines(flows)[0];
  };
  const keys = (): readonly PoolKey[] => opened.mock.calls.map(([key]) => key);
  return { connect, pod, opened, keys, line, taken };
};

const unreachable = () => Promise.reject(new TunnelDialError("connect", "refused"));

test("a service is reached through a tunnel to an endpoint that must prove its identity", async () => {
  const web = endpoint(1);
  const { connect, opened, line } = calling([web]);
  expect(await connect()).toBe(STREAM);
  const [key, request] = opened.mock.calls[0] ?? [];
  expect(key).toEqual({
    credentialGeneration: 5,
    destinationUid: web.uid,
    expectedIdentity: workloadIdentity(web),
    address: "10.244.1.1",
  });
  expect(request?.authority).toBe("10.244.1.1:8080");
  expect(request?.headers).toMatchObject({
    forwarded: 'for="10.244.1.200:40000";host=web.shop.svc.cluster.local',
    traceparent: expect.stringMatching(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`)),
  });
  expect(line()).toMatchObject({
    "src.identity": authority.id("shop/cart"),
    "dst.identity": workloadIdentity(web),
    "dst.hbone_addr": "10.244.1.1:8080",
    connection_security_policy: "mutual_tls",
  });
});

test("an endpoint that cannot be reached is passed over, and another is tried", async () => {
  let dials = 0;
  const { connect, keys, line } = calling([endpoint(1), endpoint(2), endpoint(3)], () =>
    ++dials < 3 ? unreachable() : Promise.resolve(STREAM),
  );
  expect(await connect()).toBe(STREAM);
  expect(new Set(keys().map(({ address }) => address)).size).toBe(3);
  expect(line()).toMatchObject({ "dst.hbone_addr": `${keys()[2]?.address}:8080` });
});

test("three endpoints are tried and no more; the last failure is told", async () => {
  const { connect, keys, line } = calling(
    [1, 2, 3, 4, 5].map((number) => endpoint(number)),
    unreachable,
  );
  expect(await connect()).toMatchObject({ flag: "CONNECT", reason: "tunnel-connect-failed" });
  expect(new Set(keys().map(({ address }) => address)).size).toBe(3);
  expect(line()).not.toHaveProperty(["dst.identity"]);
});

test("an endpoint that was tried is not tried again, though there is no other", async () => {
  const { connect, opened } = calling([endpoint(1)], unreachable);
  expect(await connect()).toMatchObject({ reason: "tunnel-connect-failed" });
  expect(opened).toHaveBeenCalledTimes(1);
});

test("a tunnel whose connection was lost before it was answered is opened again, at the same endpoint if there is no other", async () => {
  let opens = 0;
  const { connect, opened } = calling([endpoint(1)], () =>
    ++opens === 1 ? Promise.reject(new TunnelError("broken", "lost")) : Promise.resolve(STREAM),
  );
  expect(await connect()).toBe(STREAM);
  expect(opened).toHaveBeenCalledTimes(2);
});

test("an endpoint whose application cannot be reached from there has seen nothing: another is tried, if there is one", async () => {
  const refused = () => Promise.reject(new TunnelError("refused", "no", 503));
  const { connect, opened } = calling([endpoint(1), endpoint(2)], refused);
  expect(await connect()).toMatchObject({ reason: "peer-cannot-connect" });
  expect(opened).toHaveBeenCalledTimes(2);
});

test.each([
  [new TunnelError("refused", "no", 401), "denied-by-peer"],
  [new TunnelError("unanswered", "no"), "tunnel-unanswered"],
])("what the other side has answered, or may have acted on, is not tried elsewhere: %o", async (answer, reason) => {
  const { connect, opened } = calling([endpoint(1), endpoint(2)], () => Promise.reject(answer));
  expect(await connect()).toMatchObject({ reason });
  expect(opened).toHaveBeenCalledTimes(1);
});

test("nobody is dialled who belongs to a trust domain that is not trusted here", async () => {
  const { connect, opened } = calling([endpoint(1, { trustDomain: testAuthority("other.example").trustDomain })]);
  expect(await connect()).toMatchObject({ flag: "IDENTITY_ERROR", reason: "foreign-trust-domain" });
  expect(opened).not.toHaveBeenCalled();
});

test("a service without an endpoint that is ready says so", async () => {
  const { connect } = calling([endpoint(1, { health: "unhealthy" })]);
  expect(await connect()).toEqual({
    flag: "CONNECT",
    reason: "no-endpoint",
    message: "web.shop.svc.cluster.local:80 has no endpoint that is ready",
    retry: "never",
  });
});

test("nothing more is tried for a pod that is gone", async () => {
  const { connect, pod, opened } = calling([endpoint(1), endpoint(2)], () => {
    pod.isGone = true;
    return unreachable();
  });
  await connect();
  expect(opened).toHaveBeenCalledTimes(1);
});

test("a mistake of ours is thrown on, not told as the other side's failure", async () => {
  const { connect } = calling([endpoint(1), endpoint(2)], () => Promise.reject(new TypeError("a mistake")));
  await expect(connect()).rejects.toThrow("a mistake");
});

test.each([
  ["an address that nobody knows", undefined, "unknown-address"],
  ["a workload outside the mesh", "none", "peer-not-in-mesh"],
] as const)("%s is called in clear, from the pod's own address, and the line says why", async (_, tunnel, reason) => {
  const { port, accepted } = await loopbackServer();
  const called = { address: ip("127.0.0.1"), port };
  const { connect, opened, taken, line } = calling([]);
  const workload = exampleWorkload({ tunnel: "none", addresses: [called.address] });
  const stream = await connect(tunnel ? { kind: "workload", workload, called } : { kind: "unknown", called });
  await vi.waitFor(() => expect(accepted).toHaveLength(1));
  expect([opened.mock.calls.length, taken]).toEqual([0, ["direct"]]);
  expect(line()).toMatchObject({
    "dst.endpoint": `127.0.0.1:${port}`,
    plaintext_reason: reason,
    connection_security_policy: "none",
  });
  if ("write" in stream) stream.reset();
});

test("an address in clear that refuses is tried once: there is no other", async () => {
  const { port, server } = await loopbackServer();
  server.close();
  const { connect, taken } = calling([]);
  expect(await connect({ kind: "unknown", called: { address: ip("127.0.0.1"), port } })).toMatchObject({
    reason: "connect-failed",
  });
  expect(taken).toHaveLength(1);
});
