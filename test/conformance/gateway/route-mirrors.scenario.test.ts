import { afterAll, beforeAll, expect, test } from "vitest";
import { type Case, type Expected } from "./echo-answer.ts";
import { CLIENTS, EchoMesh, manifest, MESH } from "./echo-mesh.ts";
import type { Request } from "./programs/request.ts";

// Copies of requests, as those who get them see them.

const mesh = new EchoMesh({
  "more-services.yaml": manifest("more-services.yaml"),
  "routes.yaml": manifest("routes/mirrors.yaml"),
});
const ask = (path: string, want: Expected, request: Partial<Request> = {}): Case => ({
  request: { url: `http://echo${path}`, ...request },
  want,
});
const v1 = { backend: "echo-v1-" };

beforeAll(async () => {
  await mesh.upAndReady();
  await mesh.holds(ask("/nothing", { status: 404, meshError: /./ }));
});
afterAll(() => mesh.dispose());

/** What the echo server remembers of a request. */
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Requests that a pod had under a key, asked past all routes. */
const seenBy = async (pod: "echo-v1" | "echo-v2", key: string): Promise<readonly Seen[]> => {
  const address = await mesh.address(CLIENTS[pod]);
  const [answer] = await mesh.send([{ url: `http://${address}:8080/seen?as=${key}` }], "consumer");
  return JSON.parse(answer?.body ?? "") as readonly Seen[];
};

const soon = { timeout: 10_000 };

test("a mirror gets a copy of every request, and the client the backend's answer", async () => {
  const request = { url: "http://echo/mirror?a=b", method: "POST", body: "x".repeat(20_000) };
  const key = "every";
  const answers = await mesh.send([{ ...request, headers: { "x-seen-as": key, "x-mine": "1" }, count: 20 }]);
  expect(answers.every(({ status, body }) => status === 200 && body.includes("Hostname=echo-v1-"))).toBe(true);
  await expect.poll(async () => (await seenBy("echo-v2", key)).length, soon).toBe(20);
  expect((await seenBy("echo-v1", key)).length).toBe(20);
  for (const seen of await seenBy("echo-v2", key)) {
    expect(seen).toMatchObject({ method: "POST", url: "/mirror?a=b", body: request.body });
    expect(seen.headers).toContainEqual(["X-Mine", "1"]);
  }
});

test("a request with two mirrors is copied twice", async () => {
  await mesh.send([{ url: "http://echo/mirror-twice", headers: { "x-seen-as": "twice" }, count: 5 }]);
  await expect.poll(async () => (await seenBy("echo-v2", "twice")).length, soon).toBe(10);
});

const REQUESTS = 400;

// More than five standard deviations around the share.
test.each([
  ["percent: 20", "/mirror-percent", 0.2, 0.1],
  ["fraction: 1/2", "/mirror-fraction", 0.5, 0.125],
  ["percent: 0", "/mirror-none", 0, 0],
])("a mirror with %s gets that share", async (_, path, share, tolerance) => {
  const key = path.slice(1);
  const request = { url: `http://echo${path}`, headers: { "x-seen-as": key }, isKept: true };
  const answers = await mesh.send([{ ...request, count: REQUESTS }]);
  expect(answers.filter(({ status }) => status === 200).length).toBe(REQUESTS);
  // Copies are sent beside the request, and the last ones may still be on their way.
  await mesh.send([{ url: "http://echo/mirror", headers: { "x-seen-as": `after-${key}` } }]);
  await expect.poll(async () => (await seenBy("echo-v2", `after-${key}`)).length, soon).toBe(1);
  await expect
    .poll(async () => Math.abs((await seenBy("echo-v2", key)).length / REQUESTS - share), soon)
    .toBeLessThanOrEqual(tolerance);
});

test("a mirror that is not there, or that speaks no HTTP, takes nothing from the request", async () => {
  await mesh.holds(ask("/mirror-unresolved", v1), ask("/mirror-broken", v1, { method: "POST", body: "content" }));
  expect(await mesh.conditions("HTTPRoute", `${MESH}/mirrors`)).toEqual([
    ["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound"],
  ]);
});

test("a mirror gets the request as the filters of its rule have made it", async () => {
  await mesh.holds(
    ask(
      "/mirror-modified/x",
      { ...v1, echoed: { URL: "/rewritten/x" }, requestHeaders: { "x-changed": "yes" } },
      { headers: { "x-seen-as": "modified" } },
    ),
  );
  await expect
    .poll(async () => (await seenBy("echo-v2", "modified"))[0], soon)
    .toMatchObject({ url: "/rewritten/x", headers: expect.arrayContaining([["X-Changed", "yes"]]) as object });
});
