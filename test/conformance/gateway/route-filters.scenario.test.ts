import { afterAll, beforeAll, test } from "vitest";
import { type Case, type Expected } from "./echo-answer.ts";
import { EchoMesh, manifest } from "./echo-mesh.ts";
import type { Request } from "./programs/request.ts";

// Filters as backends and clients see them, where the conformance tests of the mesh profiles do not look.

const mesh = new EchoMesh({
  "routes.yaml": manifest("routes/filters.yaml"),
});
const ask = (path: string, want: Expected, request: Partial<Request> = {}): Case => ({
  request: { url: `http://echo${path}`, ...request },
  want,
});
const v1 = { backend: "echo-v1-" };
const v2 = { backend: "echo-v2-" };

beforeAll(async () => {
  await mesh.upAndReady();
  await mesh.holds(ask("/hostname", { ...v1, echoed: { Host: "inner.example.org" } }));
});
afterAll(() => mesh.dispose());

const preflight = (path: string, headers: Readonly<Record<string, string>>, want: Expected): Case =>
  ask(path, { status: 204, ...want }, { method: "OPTIONS", headers });
const allowed = (headers: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [`access-control-${name}`, value]));
const asks = (origin: string, method = "PUT") => ({ origin, "access-control-request-method": method });

test("CORS: the mesh answers preflights, and gives answers the fields that a browser asks for", async () => {
  const origin = "https://www.example.org";
  await mesh.holds(
    preflight(
      "/cors",
      { ...asks(origin), "access-control-request-headers": "x-wanted" },
      {
        responseHeaders: allowed({
          "allow-origin": origin,
          "allow-methods": "GET, HEAD, POST, PUT, DELETE",
          "allow-headers": "x-wanted, content-type",
          "max-age": "600",
          "allow-credentials": undefined,
        }),
      },
    ),
    preflight("/cors", asks("https://a.example.com:8443"), {
      responseHeaders: allowed({ "allow-origin": "https://a.example.com:8443", "allow-headers": undefined }),
    }),
    preflight("/cors", asks("https://www.example.net"), { responseHeaders: allowed({ "allow-origin": undefined }) }),
    preflight(
      "/cors-credentials",
      { ...asks("https://any.example", "PATCH"), "access-control-request-headers": "x-a" },
      {
        responseHeaders: allowed({
          "allow-origin": "https://any.example",
          "allow-methods": "PATCH",
          "allow-headers": "x-a",
          "allow-credentials": "true",
          "max-age": "5",
        }),
      },
    ),
    ask(
      "/cors",
      {
        ...v1,
        responseHeaders: { ...allowed({ "allow-origin": origin, "expose-headers": "x-exposed" }), "x-exposed": "1" },
      },
      { url: "http://echo/cors?headers=x-exposed:1,access-control-allow-origin:https://evil", headers: { origin } },
    ),
    ask("/cors", { ...v1, responseHeaders: allowed({ "allow-origin": undefined }) }, { headers: { origin: "null" } }),
    ask("/cors", v1),
    ask("/cors", v1, { method: "OPTIONS" }),
  );
});

test("response headers are changed for a rule, and for one backend of it", async () => {
  const of = (path: string) => `http://echo${path}?headers=x-set:app,x-add:app,x-remove:app,x-other:app`;
  const changed = (by: string): Expected => ({
    responseHeaders: { "x-set": by, "x-add": `app,${by}`, "x-remove": undefined, "x-other": "app" },
  });
  await mesh.holds(
    ask("", { ...v1, ...changed("route") }, { url: of("/response") }),
    ask("", { ...v2, ...changed("backend") }, { url: of("/backend-response") }),
    ask("", { ...v1, ...changed("route") }, { url: of("/response").replace("http", "h2c") }),
  );
});

test("Host is rewritten, over HTTP/2 the authority", async () => {
  const want = { ...v1, echoed: { Host: "inner.example.org", URL: "/hostname/x" } };
  await mesh.holds(ask("/hostname/x", want), ask("", want, { url: "h2c://echo/hostname/x" }));
});

test("a redirect leaves out the scheme's own port, keeps query and method's content unread, and takes response filters", async () => {
  await mesh.holds(
    ask(
      "/redirect-port-80?a=b",
      { status: 308, responseHeaders: { location: "http://example.org/redirect-port-80?a=b" } },
      { method: "PUT", body: "content" },
    ),
    ask("/redirect-response", {
      status: 302,
      responseHeaders: { location: "http://example.org/redirect-response", "x-set": "route" },
    }),
  );
});
