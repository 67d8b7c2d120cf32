import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cutOff } from "./cut-off.ts";
import { RequestTally } from "./request-tally.ts";
import { orderlyPod, orderlyService, RequestingPods } from "./requesting-pods.ts";

const mesh = new RequestingPods({
  "pods.yaml": orderlyPod("shop/near", 1, "v1") + orderlyPod("shop/far", 2, "v2"),
  "only.yaml": orderlyPod("shop/only", 2, "only", { NAME: "first" }, "v1"),
  "services.yaml": ["v1", "v2", "only"].map((app) => orderlyService(`shop/${app}`, { app })).join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const CALLERS = 2;

const requests = async (host: string) => {
  const load = await mesh.requests(host, CALLERS);
  const tally = new RequestTally(load);
  await tally.more(10);
  return { load, tally };
};

/**
 * Reads an answer that has no end.
 * @param how `HTTP/1.0`: its end is that of the connection; `HTTP/1.1`: it comes in chunks
 * @returns how it ended all the same, for its reader
 */
const endless = async (how: "HTTP/1.0" | "HTTP/1.1"): Promise<{ readonly ended: Promise<string> }> => {
  const script = `const socket = require("net").connect(80, "v2");
    socket.write("GET /endless ${how}\\r\\nHost: v2\\r\\n\\r\\n");
    socket.once("data", (head) => console.log(/chunked/.test(head)));
    socket.on("end", () => console.log("complete")).on("error", ({ code }) => console.log(code));`;
  const child = mesh.spawn("exec", "shop/client", "--", "node", "-e", script);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => ((await lines.next()) as { value?: string }).value ?? "";
  expect(await next()).toBe(String(how === "HTTP/1.1"));
  return { ended: next() };
};

test.each([1, 2])(
  "a worker of node %i that is killed breaks answers off so that none looks complete, and its pods are served again",
  async (node) => {
    const near = await requests("v1");
    const far = await requests("v2");
    try {
      const answers = await Promise.all([endless("HTTP/1.0"), endless("HTTP/1.1")]);
      expect(await mesh.signal({ node: `node-${node}`, role: "worker", index: 0, signal: "SIGKILL" })).toBe(200);
      expect(await Promise.all(answers.map(({ ended }) => ended))).toEqual(["ECONNRESET", "ECONNRESET"]);
      await far.tally.more(20);
      await near.tally.more(20);
    } finally {
      near.load.end();
      far.load.end();
    }
    // Whoever lives with another worker has not noticed.
    if (node === 2) near.tally.expectUndisturbed(CALLERS);
    expect(Object.keys(far.tally.failures)).not.toEqual([]);
    expect(far.tally.failures["socket: ended"]).toBeUndefined();
  },
);

test("with the control plane away requests flow, on the connections that there were", async () => {
  const { load, tally } = await requests("v2");
  await mesh.signal({ role: "control-plane", signal: "SIGSTOP" });
  try {
    await tally.more(100);
  } finally {
    await mesh.signal({ role: "control-plane", signal: "SIGCONT" });
    load.end();
  }
  tally.expectUndisturbed(CALLERS);
});

/** How many requests the callers' proxy says were answered by whoever proved to be this; for gRPC an error of the mesh is a 200, too. */
const answeredAs = (account: string): number =>
  mesh
    .accessLog(1)
    .filter(
      ({ direction, response_code, reason, path }) =>
        direction === "outbound" && response_code === 200 && reason === undefined && path !== STREAM,
    )
    .filter((line) => line["dst.workload"] === "only" && line["dst.identity"] === identity(account)).length;

const STREAM = "/orderly.Test/Echo";
const identity = (account: string): string => `spiffe://cluster.local/ns/shop/sa/${account}`;

test("a pod that is replaced by another of the same name and address, but with another identity, is never taken for it", async () => {
  const address = await mesh.address("shop/only");
  const { load, tally } = await requests("only");
  const refusals = (): number =>
    Object.keys(tally.failures).filter((failure) => failure.includes("unexpected-identity")).length;
  try {
    // What the callers' proxy knows is of the first when the second is there already.
    await cutOff(mesh, 1, true);
    mesh.write("only.yaml", orderlyPod("shop/only", 2, "only", { NAME: "second" }, "v2"));
    await tally.until("the second is met", () => refusals() > 0);
    expect(tally.by("second")).toBe(0);
    await cutOff(mesh, 1, false);
    await tally.until("the second answers", () => tally.by("second") > 100);
    await tally.more(20);
  } finally {
    load.end();
  }
  expect(await mesh.address("shop/only")).toBe(address);
  // All that the first has answered, and nothing of what the second has.
  const soon = { timeout: 30_000 };
  await expect.poll(() => answeredAs("v2"), soon).toBeGreaterThanOrEqual(tally.by("second"));
  await expect.poll(() => answeredAs("v1"), soon).toBe(tally.by("first"));
  // Between the two there is nobody, and who asks is told so.
  const broken = Object.keys(tally.failures).filter(
    (failure) => !/^(?:kept|session): 503|^grpc: 14|^socket|^stream/.test(failure),
  );
  expect(broken).toEqual([]);
});
