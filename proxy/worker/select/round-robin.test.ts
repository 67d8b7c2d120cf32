import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Service, serviceName, type ServicePort } from "#mesh/service.ts";
import { emptySnapshot, type Snapshot } from "#mesh/snapshot.ts";
import { exampleService, exampleWorkload, ip, snapshotWith } from "#mesh/testing/examples.ts";
import type { Workload } from "#mesh/workload.ts";
import { RoundRobin } from "./round-robin.ts";

const SERVICE = exampleService();
const PORT: ServicePort = { port: 80, targetPort: 8080, protocol: "unknown" };
const CALLED = { address: ip("10.96.0.10"), port: 80 };

const pod = (number: number, changes: Partial<Workload> = {}): Workload =>
  exampleWorkload({ name: `web-${number}`, addresses: [ip(`10.244.1.${number}`)], ...changes });

const pods = (count: number): Workload[] => Array.from({ length: count }, (_, index) => pod(index + 1));

/** A snapshot after another: what is given is new, or has changed. */
const meshOf = (workloads: readonly Workload[], base = emptySnapshot, service: Service = SERVICE): Snapshot =>
  snapshotWith(
    {
      workloads: new Map(workloads.map((workload) => [workload.uid, workload])),
      services: new Map([[serviceName(service), service]]),
    },
    base,
  );

/** The addresses of so many picks. */
const picks = (robin: RoundRobin, mesh: Snapshot, count: number, tried?: ReadonlySet<string>): (string | undefined)[] =>
  Array.from({ length: count }, () => robin.pick(mesh, SERVICE, PORT, CALLED, tried)?.address.address);

test("every endpoint has its turn, and then the first again", () => {
  const [first, second, third, ...again] = picks(new RoundRobin(), meshOf(pods(3)), 6);
  expect(new Set([first, second, third]).size).toBe(3);
  expect(again).toEqual([first, second, third]);
});

test("whatever the number of endpoints and of calls, none has more than one call above another", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(100), (endpoints, calls) => {
      const counts = new Map<string | undefined, number>();
      for (const address of picks(new RoundRobin(), meshOf(pods(endpoints)), calls)) {
        counts.set(address, (counts.get(address) ?? 0) + 1);
      }
      expect(counts.has(undefined)).toBe(false);
      const seen = Array.from({ length: endpoints }, (_, index) => counts.get(`10.244.1.${index + 1}`) ?? 0);
      expect(Math.max(...seen) - Math.min(...seen)).toBeLessThanOrEqual(1);
    }),
  );
});

test("a change somewhere else in the mesh does not begin the turns anew", () => {
  const robin = new RoundRobin();
  let mesh = meshOf(pods(3));
  const seen: (string | undefined)[] = [];
  for (let change = 0; change < 6; change++) {
    seen.push(...picks(robin, mesh, 1));
    mesh = meshOf([exampleWorkload({ name: `other-${change}`, services: new Map() })], mesh);
  }
  expect(seen.slice(3)).toEqual(seen.slice(0, 3));
  expect(new Set(seen).size).toBe(3);
});

test("an endpoint that comes gets its share, and one that goes gets none any more", () => {
  const robin = new RoundRobin();
  const before = meshOf(pods(2));
  picks(robin, before, 3);
  const more = meshOf([pod(3)], before);
  expect(new Set(picks(robin, more, 3)).size).toBe(3);
  const fewer = snapshotWith({ workloads: new Map([[pod(1).uid, undefined]]) }, more);
  expect(new Set(picks(robin, fewer, 4))).toEqual(new Set(["10.244.1.2", "10.244.1.3"]));
});

test("an endpoint is left out from the snapshot on in which it is not healthy, and gets calls again when it is", () => {
  const robin = new RoundRobin();
  const healthy = meshOf(pods(2));
  const ill = meshOf([pod(1, { health: "unhealthy" })], healthy);
  expect(new Set(picks(robin, ill, 4))).toEqual(new Set(["10.244.1.2"]));
  expect(new Set(picks(robin, meshOf([pod(1)], ill), 4)).size).toBe(2);
});

test("a service that wants it gets calls to its endpoints that are not ready", () => {
  const service = exampleService({ sendToUnready: true });
  const mesh = meshOf([pod(1, { health: "unhealthy" })], emptySnapshot, service);
  const robin = new RoundRobin();
  expect(robin.pick(mesh, service, PORT, CALLED)).toBeDefined();
  expect(robin.pick(mesh, SERVICE, PORT, CALLED)).toBeUndefined();
});

test("what was tried is passed over, whosever turn it is; where everything was tried there is nothing", () => {
  const robin = new RoundRobin();
  const mesh = meshOf(pods(3));
  const tried = new Set(["10.244.1.1:8080", "10.244.1.3:8080"]);
  expect(new Set(picks(robin, mesh, 6, tried))).toEqual(new Set(["10.244.1.2"]));
  tried.add("10.244.1.2:8080");
  expect(picks(robin, mesh, 3, tried)).toEqual([undefined, undefined, undefined]);
});

test("each service, and each of its ports, has its own turns", () => {
  const robin = new RoundRobin();
  const otherPort: ServicePort = { port: 81, targetPort: 8081, protocol: "unknown" };
  const other = exampleService({ name: "other", hostname: "other.shop.svc.cluster.local" });
  const services: Workload["services"] = new Map([
    [
      serviceName(SERVICE),
      [
        { servicePort: 80, targetPort: 8080, protocol: "unknown" },
        { servicePort: 81, targetPort: 8081, protocol: "unknown" },
      ],
    ],
    [serviceName(other), [{ servicePort: 80, targetPort: 8080, protocol: "unknown" }]],
  ]);
  const mesh = meshOf([pod(1, { services }), pod(2, { services })]);
  const pick = (service: Service, port: ServicePort) => robin.pick(mesh, service, port, CALLED)?.address;
  // Of two that shared their turns, called one after the other, each would always get the same endpoint.
  for (const [service, port] of [
    [SERVICE, otherPort],
    [other, PORT],
  ] as const) {
    const seen = Array.from({ length: 2 }, () => [pick(SERVICE, PORT)?.address, pick(service, port)?.address]);
    expect(new Set(seen.map(([first]) => first)).size).toBe(2);
    expect(new Set(seen.map(([, second]) => second)).size).toBe(2);
  }
  expect(pick(SERVICE, otherPort)?.port).toBe(8081);
});

const serving = (servicePort: number, targetPort: number): Partial<Workload> => ({
  services: new Map([[serviceName(SERVICE), [{ servicePort, targetPort, protocol: "unknown" }]]]),
});

test.each<[string, Partial<Workload>, number, number | undefined]>([
  ["its own number of a named port", serving(80, 9090), 0, 9090],
  ["its own number, also where the service has one", serving(80, 9090), 8080, 9090],
  ["the service's number, where it has none of its own", serving(80, 0), 8080, 8080],
  ["no number: it is no endpoint", serving(80, 0), 0, undefined],
  ["another port of the service: it is no endpoint", serving(81, 9090), 8080, undefined],
  ["another service: it is no endpoint", { services: new Map() }, 8080, undefined],
])("an endpoint that has %s", (_, changes, targetPort, expected) => {
  const mesh = meshOf([pod(1, changes)]);
  expect(new RoundRobin().pick(mesh, SERVICE, { ...PORT, targetPort }, CALLED)?.address.port).toBe(expected);
});

test("a service without endpoints has none, until one comes", () => {
  const robin = new RoundRobin();
  const empty = meshOf([]);
  expect(picks(robin, empty, 2)).toEqual([undefined, undefined]);
  expect(picks(robin, meshOf([pod(1)], empty), 1)).toEqual(["10.244.1.1"]);
});

test("a target port that changes takes effect with the service, though no endpoint has changed", () => {
  const robin = new RoundRobin();
  const mesh = meshOf([pod(1, serving(80, 0))]);
  expect(robin.pick(mesh, SERVICE, PORT, CALLED)?.address.port).toBe(8080);
  expect(robin.pick(mesh, SERVICE, { ...PORT, targetPort: 9090 }, CALLED)?.address.port).toBe(9090);
});
