import { afterAll, beforeAll, expect, test } from "vitest";
import { RequestTally } from "./request-tally.ts";
import { orderlyPod, orderlyService, RequestingPods } from "./requesting-pods.ts";

const mesh = new RequestingPods({
  "pods.yaml": orderlyPod("shop/near", 1, "web") + orderlyPod("shop/far", 2, "web"),
  "services.yaml": orderlyService("shop/web", { app: "web" }),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const CALLERS = 2;
const isDraining = async (node: number): Promise<boolean> =>
  (await mesh.status()).nodes[node - 1]?.draining !== undefined;

const requests = async () => {
  const load = await mesh.requests("web", CALLERS);
  const tally = new RequestTally(load);
  await tally.more(20);
  return { load, tally };
};

test.each([1, 2])(
  "the proxy of node %i is replaced under load: no request fails, connections move on, what is long stays up",
  async (node) => {
    const { load, tally } = await requests();
    const upgrade = mesh.heddle("upgrade", "--node", `node-${node}`, "--drain-seconds", "300");
    let isOver = false;
    void upgrade.finally(() => (isOver = true));
    try {
      // Node 2 has nothing that is long where both connections of that sort went to the pod of node 1.
      await tally.until("the old proxy drains", async () => (node === 2 && isOver) || isDraining(node));
      await tally.more(100);
    } finally {
      load.end();
    }
    const { code, stdout, stderr } = await upgrade;
    expect(`${stdout}${stderr}${code}`).toMatch(/done\n0$/);
    expect(tally.failures).toEqual({});
    const { kept = 0, session = 0, ...long } = tally.opened;
    expect(long).toEqual({ socket: 1, stream: 1 });
    // Those of the callers' node were told to come again; the others are the other proxy's, which changes its tunnels.
    expect([kept, session]).toEqual(node === 1 ? [2 * CALLERS, 2] : [CALLERS, 1]);
    expect([tally.by("near") > 0, tally.by("far") > 0]).toEqual([true, true]);
  },
);

test("both are replaced under load, with little time for what is long: that sees an end, and no request fails", async () => {
  const { load, tally } = await requests();
  const upgrade = mesh.heddle("upgrade", "--drain-seconds", "2");
  let isOver = false;
  void upgrade.finally(() => (isOver = true));
  try {
    await tally.until("the upgrade is over", () => isOver);
    await tally.more(20);
  } finally {
    load.end();
  }
  expect((await upgrade).code).toBe(0);
  const { "socket: ended": ended, ...failures } = tally.failures;
  expect(ended).toBeGreaterThan(0);
  const ofRequests = Object.keys(failures).filter((failure) => !failure.startsWith("stream: "));
  expect(ofRequests).toEqual([]);
});
