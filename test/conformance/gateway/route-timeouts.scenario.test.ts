import { afterAll, beforeAll, expect, test } from "vitest";
import { type Case, deviations, type Expected } from "./echo-answer.ts";
import { CLIENTS, EchoMesh, manifest } from "./echo-mesh.ts";
import type { Request } from "./programs/request.ts";

// Timeouts and retries of routes: the vectors of Gateway API's own tests for gateways, on a Service. The echo server fails as
// often as a request's query says, and counts.

const mesh = new EchoMesh({ "routes.yaml": manifest("routes/timeouts.yaml") });
beforeAll(async () => {
  await mesh.upAndReady();
  await mesh.holds({ request: { url: "http://echo/nothing" }, want: { status: 404, meshError: /./ } });
});
afterAll(() => mesh.dispose());

/** The order does not matter here, and everything waits: all at once. */
const expectAll = async (...cases: readonly Case[]): Promise<void> => {
  const answers = await mesh.send(
    cases.map(({ request }) => request),
    "echo-v1",
    cases.length,
  );
  expect(cases.flatMap((each, index) => deviations(each, answers[index] ?? MISSING))).toEqual([]);
};
const MISSING = { headers: {}, trailers: {}, body: "", error: "no answer" };

let keys = 0;
/** A request that fails so often before it succeeds. @returns it, and the key under which its attempts are counted */
const failing = (path: string, failures: number, how: string, request: Partial<Request> = {}): Request => {
  const uuid = `attempts-${keys++}`;
  const headers = { ...request.headers, "x-seen-as": uuid };
  return { url: `http://echo${path}?uuid=${uuid}&succeedAfter=${failures}${how}`, ...request, headers };
};

const attempts = async ({ headers }: Request): Promise<number> => {
  const address = await mesh.address(CLIENTS["echo-v1"]);
  const url = `http://${address}:8080/seen?as=${String(headers?.["x-seen-as"])}`;
  const [answer] = await mesh.send([{ url }], "consumer");
  return (JSON.parse(answer?.body ?? "") as readonly unknown[]).length;
};

const TIMED_OUT: Expected = { status: 504, meshError: /timeout/ };

test("a request or an attempt that takes too long is answered with 504; 0s is no timeout", async () => {
  const delayed = (path: string, delay: string, want: Expected): Case => ({
    request: { url: `http://echo${path}?delay=${delay}` },
    want,
  });
  await expectAll(
    delayed("/request-timeout", "0s", {}),
    delayed("/request-timeout", "25s", TIMED_OUT),
    delayed("/backend-timeout", "0s", {}),
    delayed("/backend-timeout", "25s", TIMED_OUT),
    delayed("/no-timeout", "3s", {}),
  );
});

// Attempts that are made, status; who made the answer.
test.each<[string, string, number, string, Expected, number]>([
  ["two failures", "/retry", 2, "&responseCode=500", {}, 3],
  ["as many failures as retries", "/retry", 3, "&responseCode=503", {}, 4],
  ["one failure more: the backend's own status", "/retry", 9, "&responseCode=500", { status: 500 }, 4],
  ["a status that is not listed", "/retry-500-only", 1, "&responseCode=503", { status: 503 }, 1],
  ["connections that are reset, whatever is listed", "/retry-500-only", 3, "", {}, 4],
  ["failures that are late, each attempt over its time", "/retry-slow", 2, "&responseCode=500&delayRetry=20s", {}, 3],
  ["too many of them", "/retry-slow", 9, "&responseCode=500&delayRetry=20s", TIMED_OUT, 3],
  ["without retry a failure is passed on", "/no-retry", 1, "&responseCode=500", { status: 500 }, 1],
])("retries: %s", async (_, path, failures, how, want, made) => {
  const request = failing(path, failures, how);
  await expectAll({ request, want });
  expect(await attempts(request)).toBe(made);
});

test("connections that are reset more often than is tried again end in an error of the mesh", async () => {
  const request = failing("/retry", 9, "");
  const [answer] = await mesh.send([request]);
  expect(answer?.status).toBeOneOf([500, 502, 503]);
  expect(answer?.headers["x-heddle-error"]).toBeDefined();
  expect(await attempts(request)).toBe(4);
});

test("a timeout of the request is over all its attempts", async () => {
  const request = failing("/retry-within", 9, "&responseCode=500&delayRetry=600ms");
  await expectAll({ request, want: TIMED_OUT });
  expect(await attempts(request)).toBeLessThanOrEqual(2);
});

test("a request with content is sent again whole", async () => {
  const request = failing("/retry", 2, "&responseCode=503", { method: "PUT", body: "content ".repeat(1_000) });
  await expectAll({ request, want: {} });
  const address = await mesh.address(CLIENTS["echo-v1"]);
  const [seen] = await mesh.send(
    [{ url: `http://${address}:8080/seen?as=${String(request.headers?.["x-seen-as"])}` }],
    "consumer",
  );
  const bodies = (JSON.parse(seen?.body ?? "") as readonly { readonly body: string }[]).map(({ body }) => body);
  expect(bodies).toEqual([request.body, request.body, request.body]);
});
