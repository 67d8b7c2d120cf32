import { assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import type { RequestQuestion } from "#mesh/admin/request-explanation.ts";
import { unwrap } from "#mesh/result.ts";
import { decideHttpRoute } from "#mesh/routes/decide-http-route.ts";
import { podWorkloadUid } from "#mesh/workload.ts";
import { ruleScope, sessionField } from "../worker/select/session-persistence.ts";
import type { SessionPersistence } from "#mesh/routes/route.ts";
import { CLIENT, keyOf, splitMesh, STRANGER } from "../testing/split-mesh.ts";
import { explainRequest } from "./explain-request.ts";
import { readRequestQuestion } from "./request-question.ts";

const explain = (url: string, more: Partial<RequestQuestion> = {}, source = CLIENT) => {
  const { namespace, name } = source;
  return explainRequest(splitMesh, source, unwrap(readRequestQuestion({ from: { namespace, name }, url, ...more })));
};

test.each([
  ["web", "web"],
  ["web.", "web"],
  ["web.shop", "web"],
  ["WEB.shop.svc", "web"],
  ["web.shop.svc.cluster.local", "web"],
  ["web.shop.svc.cluster.local.", "web"],
  ["web.other", undefined],
  ["web.shop.svc.example.org", undefined],
  ["web.shop.pod", undefined],
])("%s is looked up as a pod of its namespace does", (host, expected) => {
  const { destination } = explain(`http://${host}/`);
  expect(destination.kind === "service" ? destination.service.name : undefined).toBe(expected);
});

test("a Service of the same name in another namespace is not meant by the bare name", () => {
  expect(explain("http://web/", {}, STRANGER).destination.kind).toBe("none");
  expect(explain("http://web.shop/", {}, STRANGER).destination.kind).toBe("service");
});

test.each([
  ["http://10.244.2.10:8080/", {}, "workload", "HTTP/1.1", "unrouted"],
  ["http://10.9.9.9/", {}, "unknown", "opaque", "passthrough"],
  ["http://10.244.1.5:8080/", {}, "none", undefined, "nowhere"],
  ["http://127.0.0.1:8080/", {}, "none", undefined, "nowhere"],
  ["http://localhost/", {}, "none", undefined, "nowhere"],
  ["http://web:81/", {}, "none", undefined, "nowhere"],
  ["http://10.244.2.10:15008/", {}, "none", undefined, "nowhere"],
  ["http://headless:8080/", {}, "service", "HTTP/1.1", "unrouted"],
  ["http://raw/", {}, "service", "opaque", "unrouted"],
  ["http://any/", {}, "service", "HTTP/1.1", "unrouted"],
  ["http://any/", { method: "BREW" }, "service", "opaque", "unrouted"],
  ["http://web/", { method: "BREW" }, "service", "HTTP/1.1", "forward"],
  ["grpc://any:80/a.B/C", {}, "service", "HTTP/2", "unrouted"],
  ["https://any:80/", {}, "service", "opaque", "unrouted"],
  ["https://web:80/", {}, "service", "opaque", "unrouted"],
] as const)("%s %j leads to: %s, %s, %s", (url, more, destination, spoken, outcome) => {
  const explained = explain(url, more);
  expect([explained.destination.kind, explained.protocol?.spoken, explained.outcome.kind]).toEqual([
    destination,
    spoken,
    outcome,
  ]);
});

test("a backend that speaks only HTTP/2 gets it", () => {
  const versions = (url: string, more = {}) =>
    forwarded(url, more).backends.map(({ outcome }) => (outcome.kind === "forward" ? outcome.version : undefined));
  expect(versions("http://web/")).toEqual(["HTTP/1.1", "HTTP/2", undefined, undefined]);
  expect(versions("http://web/", { headers: [{ name: "Upgrade", value: "websocket" }] })[1]).toBe("HTTP/1.1");
  expect(versions("grpc://web:80/a.B/C")[0]).toBe("HTTP/2");
});

test("a session begins by weight, and then stays where it is, whatever the weights say", () => {
  const first = forwarded("http://web/session").backends.map(({ share, outcome }) => ({ share, outcome }));
  const persistence = { kind: "header", name: "x-session" };
  expect(first).toMatchObject([
    {
      share: 1,
      outcome: { endpoints: { session: { persistence, endpoint: undefined } }, retryConstraint: { percent: 20 } },
    },
    { share: 0, outcome: { kind: "never", reason: "its weight is 0" } },
  ]);
  const scope = ruleScope({ namespace: "shop", name: "moved" }, 2);
  const session: SessionPersistence = { kind: "header", name: "x-session", absoluteTimeoutMs: undefined };
  const { value } = sessionField(session, scope, podWorkloadUid("Kubernetes", "shop", "v2-0"), Date.now());
  expect(forwarded("http://web/session", { headers: [{ name: "X-Session", value }] }).backends).toMatchObject([
    { share: 0, outcome: { kind: "never", reason: "the session is at another backend" } },
    { share: 1, outcome: { kind: "forward", endpoints: { session: { endpoint: "10.244.2.20:8080" } } } },
  ]);
});

test("a backend that the node does not know is an error of its own share", () => {
  expect(explain("http://web/gone").outcome).toMatchObject({
    kind: "forward",
    backends: [{ service: "shop/gone:80", share: 1, outcome: { kind: "error", status: 500 } }],
  });
});

test("each candidate says why it was not chosen, in the order of precedence", () => {
  const { routes } = explain("http://web/a", { headers: [{ name: "X-User", value: "alpha" }] });
  expect(routes?.group).toBe("producer");
  expect(
    routes?.candidates.map(({ rule, outcome, mismatch }) => [rule.route.name, rule.ruleIndex, outcome, mismatch?.kind]),
  ).toEqual([
    ["moved", 0, "mismatch", "path"],
    ["moved", 1, "mismatch", "path"],
    ["moved", 2, "mismatch", "path"],
    ["moved", 3, "mismatch", "path"],
    ["split", 0, "mismatch", "header"],
    ["split", 1, "chosen", undefined],
  ]);
  const beta = explain("http://web/a", { headers: [{ name: "X-User", value: "beta" }] });
  expect(beta.routes?.candidates.map(({ outcome }) => outcome)).toEqual([
    ...Array.from({ length: 4 }, () => "mismatch"),
    "chosen",
    "behind",
  ]);
});

const forwarded = (url: string, more: Partial<RequestQuestion> = {}) => {
  const { outcome } = explain(url, more);
  if (outcome.kind !== "forward") throw new Error(`it is not forwarded, but ${outcome.kind}`);
  return outcome;
};

test("each backend has its share, its request, its mirrors and its endpoints", () => {
  const { rule, timeouts, retry, backends } = forwarded("http://web/a?b=c", {
    headers: [{ name: "x-secret", value: "s" }],
  });
  expect([rule.ruleIndex, timeouts.requestMs, retry?.attempts]).toEqual([1, 10_000, 2]);
  expect(backends.map(({ service, weight, share, outcome }) => [service, weight, share, outcome.kind])).toEqual([
    ["shop/v1:80", 9, 0.45, "forward"],
    ["shop/v2:80", 1, 0.05, "forward"],
    [undefined, 10, 0.5, "error"],
    ["shop/v1:80", 0, 0, "never"],
  ]);
  const [v1, v2] = backends.map(({ outcome }) => (outcome.kind === "forward" ? outcome : undefined));
  expect(v1?.request).toEqual({
    method: "GET",
    authority: "web",
    target: "/a?b=c",
    fields: [{ name: "x-env", value: "prod" }],
  });
  expect(v2?.request).toMatchObject({ authority: "canary", target: "/new/a?b=c" });
  expect(v1?.mirrors).toEqual([{ target: "shop/shadow:80", share: { numerator: 10, denominator: 100 } }]);
});

test("endpoints that get nothing say why, and those that do say who lets the caller in", () => {
  const [v1, v2] = forwarded("http://web/").backends.map(({ outcome }) =>
    outcome.kind === "forward" ? outcome.endpoints : undefined,
  );
  expect([v1?.eligible, v1?.total]).toEqual([1, 3]);
  expect(v1?.listed.map(({ workload, address, excluded }) => [workload.name, address, excluded])).toEqual([
    ["v1-0", "10.244.2.10:8080", undefined],
    ["v1-1", undefined, "not ready"],
    ["v1-2", undefined, "it has no such port"],
  ]);
  expect(v1?.listed[0]).toMatchObject({
    way: { kind: "tunnel", identity: "spiffe://cluster.local/ns/shop/sa/web" },
    verdict: { kind: "allowed", policies: [] },
  });
  expect(v2?.listed.map(({ verdict }) => verdict)).toMatchObject([
    { kind: "denied", reason: "policy-denied", policies: ["shop/no-clients"] },
    { kind: "denied", reason: "policy-missing", policies: ["shop/not-there"] },
  ]);
});

test("whoever is not in the mesh is neither routed nor known, and is judged so", () => {
  const { source, protocol, routes, outcome } = explain("http://web.shop/", {}, STRANGER);
  expect([source.identity, protocol?.spoken, routes, outcome.kind]).toEqual([
    undefined,
    "opaque",
    undefined,
    "unrouted",
  ]);
  const direct = explain("http://10.244.2.10:8080/", {}, STRANGER);
  expect(direct.outcome).toMatchObject({
    endpoints: { listed: [{ way: { kind: "plaintext" }, verdict: { kind: "allowed" } }] },
  });
});

test("endpoints outside of the mesh are reached as a policy says, or not at all", () => {
  expect(explain("http://out/").outcome).toMatchObject({
    endpoints: {
      eligible: 1,
      listed: [{ way: { kind: "tls", hostname: "out.example" }, verdict: { kind: "unguarded" } }],
    },
  });
  expect(explain("https://out:80/").outcome).toMatchObject({ endpoints: { listed: [{ way: { kind: "plaintext" } }] } });
  expect(explain("http://cut/").outcome).toMatchObject({
    endpoints: { eligible: 0, listed: [{ excluded: "TLS is wanted, and it has no certificate" }] },
  });
});

test("a headless Service stands for its pods, in the mesh or not", () => {
  expect(explain("http://headless:8080/").outcome).toMatchObject({
    endpoints: {
      eligible: 2,
      listed: [
        { address: "10.244.2.30:8080", way: { kind: "tunnel" }, verdict: { kind: "allowed" } },
        { address: "10.244.2.31:8080", way: { kind: "plaintext" }, verdict: { kind: "unguarded" } },
      ],
    },
  });
});

test("what the mesh answers by itself is told with its rule", () => {
  expect(explain("http://web/old").outcome).toMatchObject({
    kind: "redirect",
    status: 301,
    location: "http://elsewhere/old",
  });
  expect(explain("http://web/none").outcome).toMatchObject({
    kind: "error",
    status: 503,
    rule: { route: { name: "moved" }, ruleIndex: 3 },
  });
  expect(explain("http://api/other").outcome).toMatchObject({ kind: "error", status: 404, rule: undefined });
});

test("whatever chance says, a request does what was explained", () => {
  const { backends } = forwarded("http://web/a", { headers: [{ name: "x-user", value: "x" }] });
  const facts = {
    method: "GET",
    scheme: "http",
    authority: "web",
    target: "/a",
    fields: [{ name: "x-user", value: "x", isNeverIndexed: false }],
    sourceNamespace: "shop",
    service: keyOf("web"),
    port: 80,
  } as const;
  assert(
    property(integer({ min: 0, max: 999 }), (part) => {
      const chance = (part + 0.5) / 1_000;
      const decision = decideHttpRoute(splitMesh.routes, facts, () => chance);
      let end = 0;
      const backend = backends.find(({ share }) => chance < (end += share));
      const { outcome } = backend ?? {};
      expect(outcome?.kind).toBe(decision.kind);
      if (decision.kind !== "forward" || outcome?.kind !== "forward") return;
      const { authority, target, fields } = decision.request;
      expect(outcome.request).toEqual({
        method: "GET",
        authority,
        target,
        fields: fields.map(({ name, value }) => ({ name, value })),
      });
      expect(backend?.service).toBe(`shop/${decision.backend.service.split(/[./]/)[1]}:80`);
    }),
  );
});
