import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { onNode, type Outcome, serverPod, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    sleeper("shop/client", { annotations: onNode(1) }),
    serverPod("shop/far", 2),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const GIB = 2 ** 30;
/** Four copies of a stream's window on the way, the sockets' buffers, and what Node.js keeps for itself. */
const MEMORY_BOUND_BYTES = 192 * 2 ** 20;

/** Both ways into a pod: through a tunnel, and in clear. */
const WAYS = [
  ["through a tunnel", "shop/client"],
  ["in clear", "outside/stranger"],
] as const;

const said = ({ text = "" }: Outcome): unknown => JSON.parse(text);

test.each(WAYS)("%s, a client may end its direction and still read the answer", async (_, from) => {
  const outcome = await mesh.client(from, "upload", await mesh.address("shop/far"), 8081, 100_000);
  expect(said(outcome)).toMatchObject({ bytes: 100_000 });
});

test.each(WAYS)("%s, a server may end its direction and still read what comes", async (_, from) => {
  const before = await farewells();
  const outcome = await mesh.client(from, "upload", await mesh.address("shop/far"), 8086, 70_000);
  expect(outcome).toEqual({ bytes: 4, text: "bye" });
  await expect.poll(farewells, { timeout: 5_000 }).toBe(before + 1);
});

/** How often the server heard all that came after its own end. */
const farewells = async (): Promise<number> =>
  (await mesh.heddle("logs", "shop/far")).stdout.split("\n").filter((line) => line.includes('"bytes":70000')).length;

test.each(WAYS)("%s, a server's reset is the client's reset", async (_, from) => {
  expect((await mesh.client(from, "upload", await mesh.address("shop/far"), 8083, 10)).error).toBe("ECONNRESET");
});

test.each(WAYS)("%s, a client's reset is the server's reset", async (_, from) => {
  const resets = async (): Promise<number> =>
    (await mesh.heddle("logs", "shop/far")).stdout.split("\n").filter((line) => line === "8085: ECONNRESET").length;
  const before = await resets();
  await mesh.client(from, "reset", await mesh.address("shop/far"), 8085);
  await expect.poll(resets, { timeout: 5_000 }).toBe(before + 1);
});

test.each(WAYS)("%s, a port that nobody listens on is a reset", async (_, from) => {
  expect((await mesh.client(from, "ask", await mesh.address("shop/far"), 9)).error).toBe("ECONNRESET");
});

/** The most memory that a worker of either node had while something ran. */
const peakMemory = async (action: Promise<unknown>): Promise<number> => {
  const workers = mesh.pids("proxy/worker/main.ts");
  expect(workers).toHaveLength(2);
  let peak = 0;
  const watch = setInterval(() => {
    for (const pid of workers) peak = Math.max(peak, residentBytes(pid));
  }, 50);
  await action.finally(() => clearInterval(watch));
  return peak;
};

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+([0-9]+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;

test("1 GiB goes up and comes down whole, and no worker grows with it", async () => {
  const address = await mesh.address("shop/far");
  const before = Math.max(...mesh.pids("proxy/worker/main.ts").map(residentBytes));
  const peak = await peakMemory(
    (async () => {
      expect(said(await mesh.client("shop/client", "upload", address, 8081, GIB))).toMatchObject({ bytes: GIB });
      expect(await mesh.client("shop/client", "download", address, 8082, GIB)).toMatchObject({ bytes: GIB });
    })(),
  );
  expect(peak - before).toBeLessThan(MEMORY_BOUND_BYTES);
}, 240_000);

test.each(WAYS)(
  "%s, a reader that does not read stops the writer, and no worker holds what was written",
  async (_, from) => {
    const address = await mesh.address("shop/far");
    const before = Math.max(...mesh.pids("proxy/worker/main.ts").map(residentBytes));
    let done = false;
    const upload = mesh.client(from, "prefixed", address, 8084, "6000", GIB / 2).finally(() => (done = true));
    const peak = await peakMemory(new Promise((resolve) => setTimeout(resolve, 4_000)));
    expect(done).toBe(false);
    expect(peak - before).toBeLessThan(MEMORY_BOUND_BYTES);
    expect(said(await upload)).toMatchObject({ bytes: GIB / 2 });
  },
  120_000,
);
