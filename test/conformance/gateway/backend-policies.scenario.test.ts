import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pod, service } from "../../local/yaml.ts";
import { onNode } from "../../mesh/talking-pods.ts";
import { echoedLines } from "./echo-answer.ts";
import { CLIENTS, EchoMesh, manifest, MESH } from "./echo-mesh.ts";
import type { Answer, Request } from "./programs/request.ts";

// Sessions that stay at their endpoint, by rule and by Service (GEP-1619), and retries that a Service gets (GEP-3388).

const SERVER = join(import.meta.dirname, "programs/echo-server.ts");
const PORTS = [{ name: "http", port: 80, targetPort: 8080, appProtocol: "http" }];

/** Pods that sessions are at. */
const stickyPods = (...numbers: readonly number[]): string =>
  numbers
    .map((number) =>
      pod(`${MESH}/sticky-${number}`, ["node", SERVER], {
        labels: { app: "sticky" },
        annotations: onNode((number % 2) + 1),
      }),
    )
    .join("");

const mesh = new EchoMesh({
  "routes.yaml": manifest("routes/sessions.yaml"),
  "sticky-pods.yaml": stickyPods(1, 2, 3),
  "sticky-services.yaml": ["sticky", "sticky-service"]
    .map((name) => service(`${MESH}/${name}`, { selector: { app: "sticky" }, ports: PORTS }))
    .join(""),
});
beforeAll(async () => {
  await mesh.upAndReady();
  await mesh.holds(
    { request: { url: "http://echo/unknown" }, want: { status: 404, meshError: /./ } },
    { request: { url: "http://sticky-service" }, want: { backend: "sticky-" } },
  );
});
afterAll(() => mesh.dispose());

/** The pod that has answered; otherwise what went wrong. */
const hostOf = ({ body, status, error }: Answer): string => echoedLines(body).Hostname ?? error ?? String(status);
const hosts = async (request: Request, count = 12): Promise<readonly string[]> =>
  [...new Set((await mesh.send([{ ...request, count }])).map(hostOf))].sort();

/** What a client sends back to belong to the session that an answer has begun. */
const session = ({ headers }: Answer): Readonly<Record<string, string>> | undefined => {
  const [cookie] = headers["set-cookie"] ?? [];
  if (cookie !== undefined) return { cookie: cookie.split(";")[0] ?? "" };
  const [token] = headers["x-session"] ?? [];
  return token === undefined ? undefined : { "x-session": token };
};

/** A session, and where it is. */
const begin = async (url: string) => {
  const [answer] = await mesh.send([{ url }]);
  const headers = answer && session(answer);
  if (!headers) throw new Error(`no session has begun: ${JSON.stringify(answer)}`);
  return { request: { url, headers }, host: hostOf(answer) };
};

const ALL = ["sticky-1", "sticky-2", "sticky-3"];

test.each([
  ["a cookie, of a rule", "http://echo/cookie"],
  ["a header, of a rule", "http://echo/header"],
  ["a cookie, of a Service without routes", "http://sticky-service"],
  ["a cookie, over HTTP/2", "h2c://sticky-service"],
])("a session stays at its endpoint: by %s", async (_, url) => {
  expect(await hosts({ url })).toEqual(ALL);
  for (let round = 0; round < 3; round++) {
    const { request, host } = await begin(url);
    expect(await hosts(request)).toEqual([host]);
    const again = await mesh.send([request]);
    expect(again.map(session)).toEqual([undefined]);
  }
});

test("a session stays at the backend that weights have chosen for its first request", async () => {
  for (let round = 0; round < 3; round++) {
    const { request, host } = await begin("http://echo/split");
    expect(await hosts(request)).toEqual([host]);
  }
});

test("a token that is made up, or another rule's, is as none", async () => {
  const { request } = await begin("http://echo/header");
  const token = request.headers["x-session"] ?? "";
  for (const other of ["x", "A".repeat(token.length), token.slice(1)]) {
    expect(await hosts({ url: "http://echo/header", headers: { "x-session": other } })).toEqual(ALL);
  }
  const elsewhere = await mesh.send([{ url: "http://echo/split", headers: request.headers }]);
  expect(elsewhere.map((answer) => session(answer) !== undefined)).toEqual([true]);
});

const PATIENT = { timeout: 60_000 };

test("a session whose pod is gone goes on at another, and stays there", async () => {
  const urls = ["http://echo/cookie", "http://sticky-service"];
  const before = await Promise.all(urls.map(begin));
  for (const { request, host } of before) {
    const left = [1, 2, 3].filter((number) => `sticky-${number}` !== host);
    mesh.write("sticky-pods.yaml", stickyPods(...left));
    await expect.poll(() => hosts({ url: request.url }), PATIENT).toEqual(ALL.filter((name) => name !== host));
    const [moved] = await mesh.send([request]);
    expect(hostOf(moved as Answer)).toMatch(/^sticky-/);
    expect(hostOf(moved as Answer)).not.toBe(host);
    const headers = session(moved as Answer) ?? {};
    expect(await hosts({ ...request, headers })).toEqual([hostOf(moved as Answer)]);
    mesh.write("sticky-pods.yaml", stickyPods(1, 2, 3));
    await expect.poll(() => hosts({ url: request.url }), PATIENT).toEqual(ALL);
  }
});

let keys = 0;
/** A request that fails whenever it is sent. @returns the answer, and how often it reached v1 */
const failing = async (from: keyof typeof CLIENTS, host = "echo") => {
  const key = `failing-${keys++}`;
  const url = `http://${host}/budget?uuid=${key}&succeedAfter=99&responseCode=500`;
  const [answer] = await mesh.send([{ url, headers: { "x-seen-as": key } }], from);
  const [seen] = await mesh.send(
    [{ url: `http://${await mesh.address(CLIENTS["echo-v1"])}:8080/seen?as=${key}` }],
    "consumer",
  );
  const error = answer?.headers["x-heddle-error"]?.[0];
  return { status: answer?.status, error, attempts: (JSON.parse(seen?.body ?? "") as readonly unknown[]).length };
};

test("a Service gets no more retries than its budget has, from all pods of a node; each node has its own", async () => {
  const spent = (attempts: number) => ({ status: 503, error: "retry-budget", attempts });
  // The first two retries are always allowed.
  expect(await failing("echo-v1")).toEqual(spent(3));
  expect(await failing("echo-v1")).toEqual(spent(1));
  // On the other node.
  expect(await failing("echo-v2")).toEqual(spent(3));
  expect(await failing("consumer", `echo.${MESH}`)).toEqual(spent(1));
  // What does not fail is served.
  const [answer] = await mesh.send([{ url: "http://echo/budget" }]);
  expect(answer?.status).toBe(200);
});
