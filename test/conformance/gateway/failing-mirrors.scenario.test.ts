import { afterAll, beforeAll, expect, test } from "vitest";
import { pod, service } from "../../local/yaml.ts";
import { onNode } from "../../mesh/talking-pods.ts";
import { shares } from "./echo-answer.ts";
import { CLIENTS, EchoMesh, manifest, MESH } from "./echo-mesh.ts";
import type { Request } from "./programs/request.ts";

// Nobody notices what becomes of copies of requests.

/** It takes connections, and never says anything. */
const HANGING = ["node", "-e", "require('net').createServer(() => {}).listen(8080)"];
const portOf = (targetPort: number) => [{ name: "http", port: 80, targetPort, appProtocol: "http" }];

const mesh = new EchoMesh({
  "routes.yaml": manifest("routes/failing-mirrors.yaml"),
  "more-services.yaml": manifest("more-services.yaml"),
  "mirrors.yaml": [
    pod(`${MESH}/hanging`, HANGING, { labels: { app: "hanging" }, annotations: onNode(2) }),
    service(`${MESH}/hanging`, { selector: { app: "hanging" }, ports: portOf(8080) }),
    // Nobody listens there.
    service(`${MESH}/refusing`, { selector: { app: "hanging" }, ports: portOf(9) }),
  ].join(""),
});
beforeAll(async () => {
  await mesh.upAndReady();
  await mesh.holds({ request: { url: "http://echo/nothing" }, want: { status: 404, meshError: /./ } });
});
afterAll(() => mesh.dispose());

/** How many requests a pod had under a key. It is asked by its address: no route holds for that. */
const seen = async (version: "echo-v1" | "echo-v2", key: string): Promise<number> => {
  const url = `http://${await mesh.address(CLIENTS[version])}:8080/seen?as=${key}`;
  const [answer] = await mesh.send([{ url }], "consumer");
  return (JSON.parse(answer?.body ?? "") as readonly unknown[]).length;
};

/** Sends so many requests, and expects that v1 answers all of them. */
const expectServed = async (request: Request, count: number, from?: string): Promise<void> => {
  const answers = await mesh.send([{ ...request, count, isKept: true }], from);
  expect(shares(answers)).toEqual({ "echo-v1": count });
};

const LONG = { timeout: 30_000 };

test("a request that is sent several times has one copy", async () => {
  const url = "http://echo/healthy?uuid=retried&succeedAfter=2&responseCode=500";
  await expectServed({ url, method: "PUT", body: "content", headers: { "x-seen-as": "retried" } }, 1);
  expect(await seen("echo-v1", "retried")).toBe(3);
  await mesh.send([{ url: "http://echo/healthy", headers: { "x-seen-as": "later" } }]);
  await expect.poll(() => seen("echo-v2", "later"), LONG).toBe(1);
  await expect.poll(() => seen("echo-v2", "retried"), LONG).toBe(1);
});

test.each([
  ["has no endpoints", "nobody"],
  ["refuses connections", "refusing"],
])("a mirror that %s disturbs nobody", async (_, path) => {
  await expectServed({ url: `http://echo/${path}`, method: "PUT", body: "content ".repeat(10_000) }, 20);
});

test("a mirror that answers nothing disturbs nobody, however many copies wait for it", async () => {
  // More than there may be at a time.
  const request = { url: "http://echo/hanging", method: "PUT", body: "content ".repeat(1_000) };
  await expectServed(request, 300, "echo-v2");
  await expectServed({ ...request, url: "h2c://echo/hanging" }, 20, "echo-v2");
  await expectServed({ url: "http://echo/healthy" }, 20, "echo-v2");
});
