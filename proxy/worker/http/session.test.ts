import { describe, expect, test } from "vitest";
import type { Field } from "#mesh/routes/field.ts";
import { decideHttpRoute, type ForwardDecision, type PinBackend } from "#mesh/routes/decide-http-route.ts";
import type { BackendPolicy } from "#mesh/routes/backend-policy.ts";
import type { SessionPersistence } from "#mesh/routes/route.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { exampleService, exampleWorkload, ip, snapshotWith } from "#mesh/testing/examples.ts";
import { http, outcome, path, tableOf, to } from "#mesh/testing/route-decisions.ts";
import { fieldList, requestFacts } from "#mesh/testing/routes.ts";
import type { Workload } from "#mesh/workload.ts";
import type { Reachable } from "../connect-destination.ts";
import { type Endpoint, workloadEndpoint } from "../select/endpoint.ts";
import { pinnedBackend, sessionFor } from "./session.ts";

const CALLED = { address: ip("10.96.0.10"), port: 80 };
const HEADER: SessionPersistence = { kind: "header", name: "x-session", absoluteTimeoutMs: undefined };
const COOKIE: SessionPersistence = {
  kind: "cookie",
  name: undefined,
  path: "/",
  isPermanent: false,
  absoluteTimeoutMs: undefined,
};

/** The port of a Service of the mesh below. */
const at = (name: string): Reachable => ({
  kind: "service",
  service: exampleService({ name, hostname: name }),
  port: { port: 80, targetPort: 8080, protocol: "unknown" },
  called: CALLED,
});

/** A pod of Services. */
const podOf = (number: number, services: readonly string[], changes: Partial<Workload> = {}): Workload =>
  exampleWorkload({
    name: `pod-${number}`,
    addresses: [ip(`10.244.1.${number}`)],
    services: new Map(
      services.map((name) => [`shop/${name}`, [{ servicePort: 80, targetPort: 8080, protocol: "unknown" }]]),
    ),
    ...changes,
  });

const meshOf = (workloads: readonly Workload[], policies: readonly BackendPolicy[] = [], base?: Snapshot): Snapshot =>
  snapshotWith(
    {
      workloads: new Map(workloads.map((workload) => [workload.uid, workload])),
      services: new Map(["v1", "v2"].map((name) => [`shop/${name}`, exampleService({ name, hostname: name })])),
      backendPolicies: new Map(policies.map((policy) => [policy.service, policy])),
    },
    base,
  );

const policyOf = (service: string, sessionPersistence: SessionPersistence): BackendPolicy => ({
  service: `shop/${service}`,
  retryConstraint: undefined,
  sessionPersistence,
  tls: new Map(),
});

const endpointOf = (workload: Workload): Endpoint => {
  const endpoint = workloadEndpoint(workload, 8080, CALLED.address);
  if (!endpoint) throw new Error("it has an address");
  return endpoint;
};

/** What a client sends back of the field with which a session began. */
const returned = (begun: Field | undefined): readonly Field[] => {
  if (!begun) throw new Error("no session has begun");
  return begun.name === "set-cookie"
    ? fieldList(["cookie", begun.value.split(";")[0] ?? ""])
    : fieldList([begun.name, begun.value]);
};

const podAt = (endpoint: Endpoint | undefined): string | undefined =>
  endpoint && "workload" in endpoint ? endpoint.workload.name : undefined;

const decision = (sessionPersistence: SessionPersistence | undefined, ruleIndex = 0): ForwardDecision => ({
  kind: "forward",
  rule: { route: { namespace: "shop", name: "web" }, ruleIndex, ruleName: undefined, matchIndex: 0 },
  backend: { kind: "service", service: "shop/v1", port: 80 },
  request: { authority: "v1", target: "/", fields: [] },
  responseFilters: [],
  mirrors: [],
  timeouts: { requestMs: undefined, backendRequestMs: undefined },
  retry: undefined,
  sessionPersistence,
});

const PODS = [1, 2, 3].map((number) => podOf(number, ["v1"]));
const [FIRST = podOf(1, []), SECOND = podOf(2, [])] = PODS;

describe.each<[string, SessionPersistence]>([
  ["a cookie", COOKIE],
  ["a header", HEADER],
])("a session by %s", (_, session) => {
  const sessionOf = (snapshot: Snapshot, fields: readonly Field[] = [], ruleIndex = 0) =>
    sessionFor(snapshot, fields, at("v1"), decision(session, ruleIndex));
  const FIELDS = returned(sessionOf(meshOf(PODS))?.begun(endpointOf(SECOND)));

  test("begins with an answer, and is found again at its endpoint, where it begins no other", () => {
    expect(sessionOf(meshOf(PODS))?.endpoint(at("v1"))).toBeUndefined();
    const again = sessionOf(meshOf(PODS), FIELDS);
    expect(podAt(again?.endpoint(at("v1")))).toBe("pod-2");
    expect(again?.begun(endpointOf(SECOND))).toBeUndefined();
  });

  test.each<[string, readonly Workload[]]>([
    ["is gone", [podOf(1, ["v1"]), podOf(3, ["v1"])]],
    ["is not ready", [podOf(1, ["v1"]), podOf(2, ["v1"], { health: "unhealthy" })]],
    ["is no endpoint of the Service any more", [podOf(1, ["v1"]), podOf(2, ["v2"])]],
  ])("whose endpoint %s begins at another", (_, pods) => {
    const found = sessionOf(meshOf(pods), FIELDS);
    expect(found?.endpoint(at("v1"))).toBeUndefined();
    const moved = returned(found?.begun(endpointOf(FIRST)));
    expect(podAt(sessionOf(meshOf(pods), moved)?.endpoint(at("v1")))).toBe("pod-1");
  });

  test("follows changes of the Service, back and forth", () => {
    const before = meshOf(PODS);
    const pod = () => podAt(sessionOf(mesh, FIELDS)?.endpoint(at("v1")));
    let mesh = before;
    expect(pod()).toBe("pod-2");
    mesh = meshOf([podOf(2, ["v1"], { health: "unhealthy" })], [], before);
    expect(pod()).toBeUndefined();
    mesh = meshOf([podOf(2, ["v1"])], [], mesh);
    expect(pod()).toBe("pod-2");
  });

  test("of another rule is none here, also at the same Service", () => {
    expect(sessionOf(meshOf(PODS), FIELDS, 1)?.endpoint(at("v1"))).toBeUndefined();
  });

  test.each(["", "x", "A".repeat(26), "\u{0}".repeat(26), "A".repeat(100_000)])(
    "that is made up is none: %j",
    (text) => {
      const forged = FIELDS.map((field) => ({ ...field, value: field.value.replace(/[^=]*$/, text) }));
      const found = sessionOf(meshOf(PODS), forged);
      expect(found?.endpoint(at("v1"))).toBeUndefined();
      expect(found?.begun(endpointOf(FIRST))).toBeDefined();
    },
  );
});

describe("the session of a request", () => {
  const withPolicy = meshOf(PODS, [policyOf("v1", HEADER)]);

  test("is the Service's where no route holds, or its rule has none", () => {
    for (const none of [undefined, decision(undefined)]) {
      const begun = sessionFor(withPolicy, [], at("v1"), none)?.begun(endpointOf(FIRST));
      expect(begun?.name).toBe("x-session");
      expect(podAt(sessionFor(withPolicy, returned(begun), at("v1"), none)?.endpoint(at("v1")))).toBe("pod-1");
    }
  });

  test("is the rule's where both have one", () => {
    const begun = sessionFor(withPolicy, [], at("v1"), decision(COOKIE))?.begun(endpointOf(FIRST));
    expect(begun?.name).toBe("set-cookie");
    expect(podAt(sessionFor(withPolicy, returned(begun), at("v1"), decision(COOKIE))?.endpoint(at("v1")))).toBe(
      "pod-1",
    );
  });

  test("is none where nobody asks for one, and where the address is no Service's", () => {
    expect(sessionFor(meshOf(PODS), [], at("v1"), decision(undefined))).toBeUndefined();
    expect(sessionFor(withPolicy, [], at("v2"), undefined)).toBeUndefined();
    expect(
      sessionFor(withPolicy, [], { kind: "workload", workload: FIRST, called: CALLED }, undefined),
    ).toBeUndefined();
  });

  test("of one Service is none at another, though one pod serves both", () => {
    const both = meshOf([podOf(1, ["v1", "v2"])], [policyOf("v1", HEADER), policyOf("v2", HEADER)]);
    const fields = returned(sessionFor(both, [], at("v1"), undefined)?.begun(endpointOf(FIRST)));
    expect(podAt(sessionFor(both, fields, at("v1"), undefined)?.endpoint(at("v1")))).toBe("pod-1");
    expect(sessionFor(both, fields, at("v2"), undefined)?.endpoint(at("v2"))).toBeUndefined();
  });
});

describe("the backend of a session", () => {
  const PINNED = { sessionPersistence: { type: "Header", sessionName: "x-session" } };
  const mesh = meshOf([podOf(1, ["v1"]), podOf(2, ["v2"])]);
  const decided = (weights: readonly [number, number], random: number, fields: readonly Field[], snapshot = mesh) => {
    const rule = { matches: [path("/")], backendRefs: [to("v1", weights[0]), to("v2", weights[1])], ...PINNED };
    const facts = requestFacts("/", { fields });
    const pin: PinBackend = pinnedBackend(snapshot, fields, CALLED);
    const other = { matches: [path("/other")], backendRefs: [to("v1")], ...PINNED };
    return decideHttpRoute(tableOf(http(other, rule)), facts, () => random, pin);
  };
  const made = decided([50, 50], 0.9, []);
  if (made.kind !== "forward") throw new Error("it goes on");
  const session = sessionFor(mesh, [], at("v2"), made);
  const fields = returned(session?.begun(endpointOf(podOf(2, ["v2"]))));

  test("is chosen by weight for the first request, and by the session from then on", () => {
    expect(outcome(made)).toBe("v2");
    expect([0, 0.5, 0.99].map((random) => outcome(decided([50, 50], random, fields)))).toEqual(["v2", "v2", "v2"]);
    expect(outcome(decided([50, 50], 0, []))).toBe("v1");
  });

  test("stays when its weight has become 0: sessions go before weights (GEP-1619)", () => {
    expect(outcome(decided([1, 0], 0, fields))).toBe("v2");
    expect(outcome(decided([0, 0], 0, fields))).toBe("v2");
    expect(outcome(decided([0, 0], 0, []))).toBe("error 503");
  });

  test("is chosen anew when none has the endpoint any more, or it may not get requests", () => {
    const gone = meshOf([podOf(1, ["v1"])]);
    expect([0, 0.9].map((random) => outcome(decided([50, 50], random, fields, gone)))).toEqual(["v1", "v2"]);
    const unready = meshOf([podOf(1, ["v1"]), podOf(2, ["v2"], { health: "unhealthy" })]);
    expect(outcome(decided([50, 50], 0, fields, unready))).toBe("v1");
  });

  test("that is not there, or is no Service, disturbs nobody", () => {
    const none = { matches: [path("/other")] };
    const rule = { matches: [path("/")], backendRefs: [to("missing"), to("v3"), to("v2")], ...PINNED };
    const decide = (own: readonly Field[], random: number) =>
      outcome(
        decideHttpRoute(
          tableOf(http(none, rule)),
          requestFacts("/", { fields: own }),
          () => random,
          pinnedBackend(mesh, own, CALLED),
        ),
      );
    expect([decide(fields, 0), decide(fields, 0.4), decide([], 0)]).toEqual(["v2", "v2", "error 500"]);
  });
});
