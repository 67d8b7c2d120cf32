import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { ExplainedEndpoints, RequestExplanation } from "#mesh/admin/request-explanation.ts";
import { explanationText } from "./explanation-text.ts";

const ENDPOINTS: ExplainedEndpoints = {
  total: 3,
  eligible: 2,
  problem: undefined,
  session: { persistence: { kind: "header", name: "x-session", absoluteTimeoutMs: undefined }, endpoint: undefined },
  listed: [
    {
      workload: { namespace: "shop", name: "v1-0" },
      node: "node-2",
      address: "10.244.2.10:8080",
      excluded: undefined,
      way: { kind: "tunnel", identity: "spiffe://cluster.local/ns/shop/sa/web" },
      verdict: { kind: "allowed", policy: undefined, policies: [] },
    },
    {
      workload: { namespace: "shop", name: "v1-1" },
      node: "node-1",
      address: "10.244.1.10:8080",
      excluded: undefined,
      way: { kind: "plaintext" },
      verdict: { kind: "denied", reason: "policy-denied", message: "shop/deny denies it", policies: ["shop/deny"] },
    },
    {
      workload: { namespace: "shop", name: "v1-2" },
      node: "node-1",
      address: undefined,
      excluded: "not ready",
      way: undefined,
      verdict: undefined,
    },
  ],
};

const rule = (ruleIndex: number, ruleName?: string) => ({
  route: { namespace: "shop", name: "split" },
  ruleIndex,
  ruleName,
  matchIndex: 0,
});

const EXPLANATION: RequestExplanation = {
  node: "node-1",
  config: { version: "v", generation: 4, enforced: 4 },
  source: {
    namespace: "shop",
    name: "client",
    node: "node-1",
    addresses: [],
    identity: "spiffe://cluster.local/ns/shop/sa/client",
  },
  request: { method: "GET", authority: "web", target: "/a", fields: [{ name: "x-secret", value: "s" }] },
  destination: {
    kind: "service",
    service: { namespace: "shop", name: "web" },
    hostname: "web.shop.svc.cluster.local",
    address: "10.96.0.1",
    port: 80,
  },
  protocol: { spoken: "HTTP/1.1", message: "the port is declared as http1" },
  routes: {
    group: "producer",
    kind: "HTTPRoute",
    total: 3,
    candidates: [
      {
        rule: rule(0, "beta"),
        outcome: "mismatch",
        mismatch: { kind: "header", name: "x-user", wanted: "beta", found: undefined },
      },
      { rule: rule(1), outcome: "chosen", mismatch: undefined },
      { rule: rule(2), outcome: "behind", mismatch: undefined },
    ],
  },
  outcome: {
    kind: "forward",
    rule: rule(1),
    timeouts: { requestMs: 10_000, backendRequestMs: undefined },
    retry: { codes: [503], attempts: 2, backoffMs: undefined },
    backends: [
      {
        service: "shop/v1:80",
        weight: 9,
        share: 0.9,
        outcome: {
          kind: "forward",
          request: { method: "GET", authority: "v1", target: "/new/a", fields: [{ name: "x-env", value: "prod" }] },
          responseFilters: [
            { kind: "response-header-modifier", set: [{ name: "x-by", value: "v1" }], add: [], remove: ["server"] },
          ],
          version: "HTTP/2",
          retryConstraint: { percent: 20, intervalMs: 10_000, minRetries: 10, minRetriesIntervalMs: 1_000 },
          mirrors: [{ target: "shop/shadow:80", share: { numerator: 1, denominator: 200 } }],
          endpoints: ENDPOINTS,
        },
      },
      {
        service: undefined,
        weight: 1,
        share: 0.1,
        outcome: { kind: "error", status: 500, reason: "shop/gone is not there" },
      },
      { service: "shop/v3:80", weight: 0, share: 0, outcome: { kind: "never", reason: "its weight is 0" } },
    ],
  },
};

const text = (changes: Partial<RequestExplanation> = {}): string =>
  stripVTControlCharacters(explanationText({ ...EXPLANATION, ...changes }));

test("a request that is forwarded is told stage by stage", () => {
  expect(`\n${text()}`).toBe(`
GET /a to web
from shop/client on node-1, spiffe://cluster.local/ns/shop/sa/client

destination  Service shop/web, 10.96.0.1:80
protocol     HTTP/1.1: the port is declared as http1
routes       HTTPRoutes of the Service's namespace, in the order in which they are tried
  no      shop/split rule 0 (beta) match 0  header x-user is not there, not beta
  chosen  shop/split rule 1 match 0
  behind  shop/split rule 2 match 0         matches too, and comes later
rule         shop/split rule 1
  timeouts   10s for the whole
  retries    2, of failed connections, 503
backend      shop/v1:80  weight 9, 90 % of the requests
  changed    path /new/a, host v1, + x-env: prod, - x-secret
  goes on    as HTTP/2, as the backend's port is declared
  answer     = x-by: v1, - server
  copied     0.5 % to shop/shadow:80, whose answer is ignored
  retries    at most 20 % of what the Service gets within 10s, and 10 each 1s in any case
  session    kept by header x-session; begins with this request
  endpoints  2, in turn; 1 left out
  10.244.2.10:8080  shop/v1-0  node-2  tunnel, as spiffe://cluster.local/ns/shop/sa/web  allowed (no policy)
  10.244.1.10:8080  shop/v1-1  node-1  in clear                                          refused: shop/deny denies it
  -                 shop/v1-2  node-1  left out: not ready
backend      (leads nowhere)  weight 1, 10 % of the requests
             answered with 500: shop/gone is not there
backend      shop/v3:80  gets none: its weight is 0`);
});

test.each<[Partial<RequestExplanation>, RegExp]>([
  [{ config: { version: "v", generation: 4, enforced: 3 } }, /node-1 enforces generation 3 .* this is generation 4/],
  [{ source: { ...EXPLANATION.source, identity: undefined } }, /not in the mesh: it proves nothing/],
  [
    { routes: { group: undefined, kind: undefined, candidates: [], total: 0 } },
    /routes +none: the Service is served as it is/,
  ],
  [{ outcome: { kind: "nowhere", message: "there is nothing" } }, /outcome +there is nothing/],
  [{ outcome: { kind: "error", rule: undefined, status: 404, reason: "no rule" } }, /answered with 404: no rule/],
  [
    { outcome: { kind: "redirect", rule: rule(0), status: 301, location: "http://x/", responseFilters: [] } },
    /shop\/split rule 0 redirects it: 301 to http:\/\/x\//,
  ],
  [
    {
      outcome: {
        kind: "unrouted",
        endpoints: { total: 0, eligible: 0, listed: [], problem: "no pod is behind it", session: undefined },
      },
    },
    /endpoints +none, as no pod is behind it: answered with 503/,
  ],
  [
    { outcome: { kind: "unrouted", endpoints: { ...ENDPOINTS, total: 5_000, eligible: 4_999 } } },
    /endpoints +4999, in turn; 1 left out\n(?:.*\n){3} +and 4997 more/,
  ],
])("%j is told too", (changes, expected) => {
  expect(text(changes)).toMatch(expected);
});
