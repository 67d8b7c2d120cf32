import { afterAll, beforeAll, expect, test } from "vitest";
import { type Case, type Expected, shares } from "./echo-answer.ts";
import { CLIENTS, CONSUMER, EchoMesh, manifest, MESH } from "./echo-mesh.ts";
import type { Request } from "./programs/request.ts";

// The tests of Gateway API's profiles MESH-HTTP and MESH-GRPC, and what they leave out: Location, the path and Host that the
// backend had, who answered, and the status of routes.

const mesh = new EchoMesh();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const apply = (name: string): void => mesh.routes(manifest(`routes/${name}.yaml`));

/** A request to a path of http://echo, unless said otherwise, and what comes of it. */
const ask = (
  path: string,
  want: Expected,
  { url = `http://echo${path}`, ...request }: Partial<Request> = {},
): Case => ({
  request: { url, ...request },
  want,
});
const from = (from: string, each: Case): Case => ({ ...each, from });
const v1 = { backend: "echo-v1-" };
const v2 = { backend: "echo-v2-" };
const withHeader = (value: string | undefined, want: Expected = {}): Expected => ({
  responseHeaders: { "X-Header-Set": value },
  ...want,
});

const ACCEPTED = ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"];

test("MeshBasic", async () => {
  mesh.routes();
  await mesh.holds(ask("/", { echoed: { Host: "echo", URL: "/", Method: "GET", Proto: "HTTP/1.1" } }));
});

test("MeshTrafficSplit", async () => {
  apply("traffic-split");
  await mesh.holds(
    ask("/v1", { ...v1, echoed: { URL: "/v1", Host: "echo" } }),
    ask("/v2", { ...v2, echoed: { URL: "/v2", Host: "echo" } }),
    ask("/v1/", { status: 404, meshError: /./ }),
    ask("/", { status: 404, meshError: /./ }),
  );
  expect(await mesh.conditions("HTTPRoute", `${MESH}/mesh-split`)).toEqual([ACCEPTED]);
});

test("MeshFrontend: a route holds for who calls the Service, not for who calls its pods", async () => {
  apply("frontend");
  const address = await mesh.address(CLIENTS["echo-v2"]);
  await mesh.holds(
    ask("/", withHeader("set", v2), { url: "http://echo-v2" }),
    ask("/", withHeader(undefined, v2), { url: `http://${address}:8080` }),
  );
});

test("MeshFrontendHostname: a Service is told by the address that was called, not by Host", async () => {
  apply("frontend");
  await mesh.holds(
    ask("/", withHeader("set", { ...v2, echoed: { Host: "echo-v1" } }), {
      url: "http://echo-v2",
      headers: { host: "echo-v1" },
    }),
    ask("/", withHeader(undefined, { ...v1, echoed: { Host: "echo-v2" } }), {
      url: "http://echo-v1",
      headers: { host: "echo-v2" },
    }),
  );
});

test("MeshPorts", async () => {
  apply("ports");
  await mesh.holds(
    ask("/", withHeader("v1", v1), { url: "http://echo-v1" }),
    ask("/", withHeader(undefined, v1), { url: "http://echo-v1:8080" }),
    ask("/", withHeader("v2", v2), { url: "http://echo-v2" }),
    ask("/", withHeader("v2", v2), { url: "http://echo-v2:8080" }),
  );
  for (const name of ["mesh-split-v1", "mesh-split-v2"]) {
    expect(await mesh.conditions("HTTPRoute", `${MESH}/${name}`)).toEqual([ACCEPTED]);
  }
});

test("MeshConsumerRoute", async () => {
  apply("consumer-route");
  const url = `http://echo-v1.${MESH}`;
  await mesh.holds(
    from("consumer", ask("/", withHeader("set", v1), { url })),
    ask("/", withHeader(undefined, v1), { url }),
    from("echo-v2", ask("/", withHeader(undefined, v1), { url })),
  );
  expect(await mesh.conditions("HTTPRoute", `${CONSUMER}/echo-v1`)).toEqual([ACCEPTED]);
});

test("MeshHTTPRouteSimpleSameNamespace", async () => {
  apply("simple-same-namespace");
  await mesh.holds(
    ask("/", v1),
    ask(
      "/any/path?with=query",
      { ...v1, echoed: { URL: "/any/path?with=query" } },
      { method: "POST", body: "content" },
    ),
  );
});

const CALLS = 500;
const TOLERANCE = 0.05;
const TRIES = 10;

/** Of 500 answers each backend has its share within 0.05, in one of ten tries, as the original asks; and nobody else answers. */
const splits = async (request: Request, wanted: Readonly<Record<string, number>>): Promise<void> => {
  const all: Record<string, number> = {};
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const got = shares(await mesh.send([{ ...request, count: CALLS }]));
    expect(Object.keys(got).sort()).toEqual(Object.keys(wanted).sort());
    for (const [backend, count] of Object.entries(got)) all[backend] = (all[backend] ?? 0) + count;
    const isNear = Object.entries(wanted).every(
      ([backend, share]) => Math.abs((got[backend] ?? 0) / CALLS - share) <= TOLERANCE,
    );
    if (isNear) return;
  }
  expect(all).toBe(wanted);
};

test("MeshHTTPRouteWeight", async () => {
  apply("weight");
  await expect
    .poll(() => mesh.conditions("HTTPRoute", `${MESH}/mesh-weighted`), { timeout: 10_000 })
    .toEqual([ACCEPTED]);
  await splits({ url: "http://echo" }, { "echo-v1": 0.7, "echo-v2": 0.3 });
});

test("MeshHTTPRouteMatching", async () => {
  apply("matching");
  await mesh.holds(
    ask("/", v1),
    ask("/example", v1),
    ask("/", v1, { headers: { Version: "one" } }),
    ask("/v2example", v1),
    ask("/foo/v2/example", v1),
    ask("/v2", v2),
    ask("/v2/", v2),
    ask("/v2/example", { ...v2, echoed: { URL: "/v2/example" } }),
    ask("/", v2, { headers: { Version: "two" } }),
  );
});

test("MeshHTTPRouteQueryParamMatching", async () => {
  apply("query-param-matching");
  const version = (value: string) => ({ headers: { version: value } });
  const none: Expected = { status: 404, meshError: /./ };
  await mesh.holds(
    ask("/?animal=whale", { ...v1, echoed: { URL: "/?animal=whale" } }),
    ask("/?animal=dolphin", v2),
    ask("/?animal=dolphin&color=blue", v2),
    ask("/?color=blue", none),
    ask("/?animal=dog", none),
    ask("/?animal=whaledolphin", none),
    ask("/", none),
    ask("/path1?animal=whale", v1),
    ask("/?animal=whale&otherparam=irrelevant", v1),
    ask("/?animal=whale", v2, version("one")),
    ask("/path3?animal=shark", v1),
    ask("/path4?animal=kraken", v1, version("three")),
    ask("/?animal=shark", none),
    ask("/path4?animal=kraken", none),
    ask("/path5?animal=hydra", v1),
  );
});

/** Requests whose headers a route changes, and what the backend then has. */
const headerChanges = (path: (name: string) => string, own: (name: string) => Record<string, string> = () => ({})) => {
  const change = (
    name: string,
    headers: Readonly<Record<string, string>>,
    requestHeaders: Readonly<Record<string, string | undefined>>,
  ): Case => ask(path(name), { ...v1, requestHeaders }, { headers: { ...headers, ...own(name) } });
  const SET = "set-overwrites-values";
  const ADD = "add-appends-values";
  return [
    change("set", { "Some-Other-Header": "val" }, { "Some-Other-Header": "val", "X-Header-Set": SET }),
    change("set", { "X-Header-Set": "some-other-value" }, { "X-Header-Set": SET }),
    change("add", { "Some-Other-Header": "val" }, { "Some-Other-Header": "val", "X-Header-Add": ADD }),
    change("add", { "X-Header-Add": "some-other-value" }, { "X-Header-Add": `some-other-value,${ADD}` }),
    change("remove", { "X-Header-Remove": "val", other: "x" }, { "X-Header-Remove": undefined, other: "x" }),
  ];
};
const MULTIPLE = {
  "X-Header-Set-2": "set-val-2",
  "X-Header-Add-2": "add-val-2",
  "X-Header-Remove-2": "remove-val-2",
  "Another-Header": "another-header-val",
};
const MULTIPLE_CHANGED = {
  "X-Header-Set-1": "header-set-1",
  "X-Header-Set-2": "header-set-2",
  "X-Header-Add-1": "header-add-1",
  "X-Header-Add-2": "add-val-2,header-add-2",
  "X-Header-Add-3": "header-add-3",
  "X-Header-Remove-1": undefined,
  "X-Header-Remove-2": undefined,
  "Another-Header": "another-header-val",
};
const IN_ANY_CASE = {
  "x-header-set": "original-val-set",
  "x-header-add": "original-val-add",
  "x-header-remove": "original-val-remove",
  "Another-Header": "another-header-val",
};
const IN_ANY_CASE_CHANGED = {
  "X-Header-Set": "header-set",
  "X-Header-Add": "original-val-add,header-add",
  "X-Header-Remove": undefined,
  "Another-Header": "another-header-val",
};

test.each([
  ["MeshHTTPRouteRequestHeaderModifier", "request-header-modifier"],
  ["MeshHTTPRouteBackendRequestHeaderModifier", "backend-request-header-modifier"],
])("%s", async (_, name) => {
  apply(name);
  await mesh.holds(
    ...headerChanges((change) => `/${change}`),
    ask("/multiple", { ...v1, requestHeaders: MULTIPLE_CHANGED }, { headers: MULTIPLE }),
    ask("/case-insensitivity", { ...v1, requestHeaders: IN_ANY_CASE_CHANGED }, { headers: IN_ANY_CASE }),
  );
});

const redirect = (path: string, status: number, location: string): Case =>
  ask(path, { status, responseHeaders: { location } });

test("MeshHTTPRouteRedirectHostAndStatus", async () => {
  apply("redirect-host-and-status");
  await mesh.holds(
    redirect("/hostname-redirect", 302, "http://example.org/hostname-redirect"),
    redirect("/host-and-status", 301, "http://example.org/host-and-status"),
    redirect("/host-and-status/more?q=1", 301, "http://example.org/host-and-status/more?q=1"),
  );
});

test("MeshHTTPRouteRedirectPath", async () => {
  apply("redirect-path");
  await mesh.holds(
    redirect("/original-prefix/lemon", 302, "http://echo/replacement-prefix/lemon"),
    redirect("/full/path/original", 302, "http://echo/full-path-replacement"),
    redirect("/path-and-host/lemon?a=b", 302, "http://example.org/replacement-prefix/lemon?a=b"),
    redirect("/path-and-status", 301, "http://echo/replacement-prefix"),
    redirect("/full-path-and-host", 302, "http://example.org/replacement-full"),
    redirect("/full-path-and-status/x?a=b", 301, "http://echo/replacement-full?a=b"),
    ask("/original-prefixes", { status: 404, meshError: /./ }),
  );
});

test("MeshHTTPRouteRedirectPort", async () => {
  apply("redirect-port");
  await mesh.holds(
    redirect("/port", 302, "http://echo:8083/port"),
    redirect("/port-and-host", 302, "http://example.org:8083/port-and-host"),
    redirect("/port-and-status", 301, "http://echo:8083/port-and-status"),
    redirect("/port-and-host-and-status", 302, "http://example.org:8083/port-and-host-and-status"),
  );
});

test("MeshHTTPRouteSchemeRedirect", async () => {
  apply("scheme-redirect");
  await mesh.holds(
    redirect("/scheme", 302, "https://echo/scheme"),
    redirect("/scheme-and-host", 302, "https://example.org/scheme-and-host"),
    redirect("/scheme-and-status", 301, "https://echo/scheme-and-status"),
    redirect("/scheme-and-host-and-status", 302, "https://example.org/scheme-and-host-and-status"),
  );
});

test.each([
  ["MeshHTTPRoute303Redirect", "/redirect", 303],
  ["MeshHTTPRoute307Redirect", "/temporary", 307],
  ["MeshHTTPRoute308Redirect", "/permanent", 308],
])("%s", async (_, path, status) => {
  apply("redirect-303-307-308");
  await mesh.holds(redirect(path, status, `http://echo${path}`));
});

test("MeshHTTPRouteRewritePath", async () => {
  apply("rewrite-path");
  const rewritten = (path: string, URL: string, more: Expected = {}, request: Partial<Request> = {}): Case =>
    ask(path, { ...v1, ...more, echoed: { URL, Host: "echo" } }, request);
  const headers = { "X-Header-Remove": "remove-val", "X-Header-Add": "add-val", "X-Header-Set": "set-val" };
  const requestHeaders = {
    "X-Header-Set": "set-overwrites-values",
    "X-Header-Add": "add-val,add-appends-values",
    "X-Header-Remove": undefined,
  };
  await mesh.holds(
    rewritten("/prefix/one/two", "/one/two"),
    rewritten("/prefix/one?a=b", "/one?a=b"),
    rewritten("/strip-prefix/three", "/three"),
    rewritten("/strip-prefix", "/"),
    rewritten("/strip-prefix/", "/"),
    rewritten("/full/one/two?a=b", "/one?a=b"),
    rewritten("/full/rewrite-path-and-modify-headers/test", "/test", { requestHeaders }, { headers }),
    rewritten("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one", { requestHeaders }, { headers }),
    ask("/prefix/ones", { status: 404, meshError: /./ }),
  );
});

test("MeshHTTPRouteNamedRule", async () => {
  apply("named-rule");
  await mesh.holds(ask("/named", v1), ask("/unnamed", v2));
});

test("MeshGRPCRouteWeight: calls of one connection take turns", async () => {
  apply("grpc-weight");
  const conditions = ["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound"];
  await expect
    .poll(() => mesh.conditions("GRPCRoute", `${MESH}/mesh-grpc-weight`), { timeout: 10_000 })
    .toEqual([conditions]);
  await splits({ url: "grpc://echo:7070" }, { "echo-v1": 0.7, "echo-v2": 0.3 });
});

test("MeshGRPCRouteRequestHeaderModifier", async () => {
  apply("grpc-request-header-modifier");
  const calls = headerChanges(
    () => "",
    (name) => ({ "x-test-case": name }),
  ).map(({ request, ...rest }) => ({ ...rest, request: { ...request, url: "grpc://echo:7070" } }));
  await mesh.holds(
    ...calls,
    from(
      "echo-v2",
      ask(
        "",
        { ...v1, requestHeaders: MULTIPLE_CHANGED, echoed: { Host: "echo:7070", Proto: "GRPC" } },
        { url: "grpc://echo:7070", headers: { ...MULTIPLE, "x-test-case": "multi" } },
      ),
    ),
    ask("", { code: 12, meshError: /./ }, { url: "grpc://echo:7070", headers: { "x-test-case": "other" } }),
  );
});
