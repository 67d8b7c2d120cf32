import { afterAll, beforeAll, expect, test } from "vitest";
import { type Case, type Expected, shares } from "./echo-answer.ts";
import { EchoMesh, manifest, MESH } from "./echo-mesh.ts";
import type { Request } from "./programs/request.ts";

// What a passing profile of the mesh conformance tests may hide: requests that no route wants, backends that are not there and
// their shares, and what is said of such routes.

const mesh = new EchoMesh({ "more-services.yaml": manifest("more-services.yaml") });
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const apply = (name: string): void => mesh.routes(manifest(`routes/${name}.yaml`));
const ask = (url: string, want: Expected, request: Partial<Request> = {}): Case => ({
  request: { url: url.startsWith("/") ? `http://echo${url}` : url, ...request },
  want,
});
/** A call of gRPC that says which case it is. */
const call = (name: string, want: Expected, path = ""): Case =>
  ask(`grpc://echo:7070${path}`, want, { headers: { case: name } });
const v1 = { backend: "echo-v1-" };
const v2 = { backend: "echo-v2-" };
const byMesh = (status: number): Expected => ({ status, meshError: /^[a-z-]+$/ });

test("requests that have no backend are answered with 404, 500 and 503, over HTTP/1.1 and HTTP/2, by the mesh", async () => {
  apply("failures");
  const cases = (scheme: string) => [
    ask(`${scheme}://echo/nothing`, byMesh(404)),
    ask(`${scheme}://echo/only-unresolved`, byMesh(500)),
    ask(`${scheme}://echo/no-such-port`, byMesh(500)),
    ask(`${scheme}://echo/only-empty`, byMesh(503)),
    ask(`${scheme}://echo/all-zero`, byMesh(503)),
    ask(`${scheme}://echo/zero-and-unresolved`, byMesh(500)),
    ask(`${scheme}://echo/no-backends`, byMesh(500)),
    ask(`${scheme}://echo/foreign-kind`, byMesh(500)),
    ask(`${scheme}://echo/extension-filter`, byMesh(500)),
    ask(`${scheme}://echo/unweighted`, v2),
    // The application's own errors are its own.
    ask(`${scheme}://echo/unweighted?codes=404&headers=x-heddle-error:mine`, { status: 404, ...v2 }),
  ];
  await mesh.holds(...cases("http"), ...cases("h2c"));
});

test("gRPC calls are refused in its own words: UNIMPLEMENTED without a rule, UNAVAILABLE without a backend", async () => {
  apply("failures");
  await mesh.holds(
    call("matched", { ...v2, trailers: { "x-echo-trailer": "end" } }),
    call("other", { code: 12, meshError: /^[a-z-]+$/ }),
    call("matched", { code: 12, meshError: /^[a-z-]+$/ }, "/proto.EchoTestService/Other"),
    call("unresolved", { code: 14, meshError: /^[a-z-]+$/ }),
    call("empty", { code: 14, meshError: /^[a-z-]+$/ }),
    // The server's own answer to a method that it does not have.
    call("matched", { code: 12 }, "/proto.Nothing/Echo"),
  );
});

const REQUESTS = 800;
/** More than five standard deviations of a quarter. */
const TOLERANCE = 0.08;

test.each([
  ["a backend that is not there: 500", "/unresolved", "500"],
  ["a backend without endpoints: 503", "/empty", "503"],
])("the share of %s, and no other backend takes it over", async (_, path, status) => {
  apply("failures");
  await mesh.holds(ask("/unweighted", v2));
  const answers = await mesh.send([{ url: `http://echo${path}`, count: REQUESTS, isKept: true }]);
  const got = shares(answers);
  expect(Object.keys(got).sort()).toEqual([status, "echo-v1"]);
  expect(Math.abs((got[status] ?? 0) / REQUESTS - 0.25), JSON.stringify(got)).toBeLessThan(TOLERANCE);
});

test("the status of a route speaks of its own version, and of each parent as the route has it", async () => {
  apply("failures");
  const status = () => mesh.objectStatus("HTTPRoute", `${MESH}/failures`);
  await expect
    .poll(async () => (await status())?.parents, { timeout: 10_000 })
    .toMatchObject([
      {
        parentRef: { group: "", kind: "Service", name: "echo", port: 80 },
        controllerName: expect.stringMatching(/^[a-z.]+\/[a-z-]+$/) as string,
        conditions: [
          { type: "Accepted", status: "True", reason: "Accepted", observedGeneration: 3 },
          { type: "ResolvedRefs", status: "False", reason: "BackendNotFound", observedGeneration: 3 },
        ],
      },
    ]);
  expect(Object.keys((await status())?.parents?.[0]?.parentRef ?? {}).sort()).toEqual([
    "group",
    "kind",
    "name",
    "port",
  ]);
});

test("a route that cannot be applied at all leaves its Service as it is, and says why", async () => {
  apply("statuses");
  const conditions = (name: string) => mesh.conditions("HTTPRoute", `${MESH}/${name}`);
  const missing = ["Accepted=False/NoMatchingParent", "ResolvedRefs=True/ResolvedRefs"];
  await expect.poll(() => conditions("no-such-parents"), { timeout: 10_000 }).toEqual([missing, missing, missing]);
  expect(await conditions("unknown-words")).toEqual([
    ["Accepted=False/UnsupportedValue", "ResolvedRefs=True/ResolvedRefs"],
  ]);
  expect(await conditions("partly")).toEqual([
    ["Accepted=True/Accepted", "PartiallyInvalid=True/UnsupportedValue", "ResolvedRefs=True/ResolvedRefs"],
  ]);
  expect(await conditions("displaced")).toEqual([["Accepted=False/Conflicted", "ResolvedRefs=True/ResolvedRefs"]]);
  expect(await mesh.conditions("GRPCRoute", `${MESH}/displacing`)).toEqual([
    ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"],
  ]);
  await mesh.holds(
    ask("http://unrouted/any", v2),
    ask("http://echo-v1/partly", v2),
    ask("http://echo-v1/else", byMesh(404)),
    ask("http://echo-v1:8080/else", v1),
    ask("grpc://echo:7070", v2),
  );
});

test("matches come in the order of Gateway API, whatever order they stand in; and whoever has routes of his own has only those", async () => {
  apply("precedence");
  const from = (from: string, each: Case): Case => ({ ...each, from });
  await mesh.holds(
    ask("/", v1),
    ask("/ab", v1),
    ask("/a", v2),
    ask("/a/", v2),
    ask("/a/b", v1),
    ask("/a/b/", v2),
    ask("/a/b/c/d", v1),
    ask("/a/b7", v1),
    ask("/a/b7/x", v1),
    ask("/a/b7x", v2),
    ask("/A/b", v1),
    ask("/a/x", v1, { method: "POST" }),
    ask("/a/x", v2, { headers: { "X-One": "1" } }),
    ask("/a/x", v1, { headers: { "X-One": "1", "x-two": "2" } }),
    ask("/a/x", v1, { headers: { "x-mail": "who@example.org" } }),
    ask("/a/x", v2, { headers: { "x-mail": "who@example.org.uk" } }),
    ask("/same", v2),
    from("consumer", ask(`http://echo.${MESH}/consumer`, v2)),
    from("consumer", ask(`http://echo.${MESH}/same`, byMesh(404))),
    from("echo-v2", ask("/consumer", v1)),
  );
});

test("each request of a connection goes its own way, over HTTP/1.1 and HTTP/2", async () => {
  apply("traffic-split");
  await mesh.holds(ask("/v1", v1), ask("/v2", v2));
  for (const scheme of ["http", "h2c"]) {
    const urls = Array.from({ length: 40 }, (_, index) => `${scheme}://echo/v${(index % 2) + 1}`);
    const answers = await mesh.send(
      urls.map((url) => ({ url, isKept: true })),
      "echo-v1",
      1,
    );
    expect(shares(answers)).toEqual({ "echo-v1": 20, "echo-v2": 20 });
    expect(answers.map((answer) => shares([answer]))).toEqual(
      urls.map((url) => ({ [url.endsWith("1") ? "echo-v1" : "echo-v2"]: 1 })),
    );
  }
});
