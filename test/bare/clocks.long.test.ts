import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { IssuedFiles } from "../mesh/issued-files.ts";
import { BareNode, until } from "./bare-node.ts";
import type { Started } from "./sandbox.ts";
import { SkewedClocks } from "./skewed-clocks.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");
const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
const YEAR = 365 * DAY;

/** A control stream that could not be opened is tried again within 15 s, a certificate when the clock is noticed to be another. */
const RECOVERED = { timeout: 60_000, interval: 500 };
const soon = { timeout: 20_000, interval: 200 };

let node: BareNode;
let clocks: SkewedClocks;
const files = new IssuedFiles();

beforeAll(async () => {
  node = await BareNode.make(["client", "other", "third", "web", "visitor"]);
  clocks = await SkewedClocks.install(node);
  await node.startControlPlane(clocks.prefix("control-plane"));
  await startProxy();
  inPod("web", "server.ts");
  await until(
    async () => (await ask("client")).error === undefined,
    () => node.supervisor?.output,
    RECOVERED.timeout,
  );
});
afterAll(async () => {
  files.dispose();
  await node.dispose();
});
afterEach(() => {
  clocks.set("node", 0);
  clocks.set("control-plane", 0);
});

const startProxy = async (): Promise<void> => {
  await node.startSupervisor();
  for (const name of ["client", "other", "third", "web"]) await node.enrol(name);
  await node.complete();
};

/** Ends the proxy and starts it anew, without a certificate that it had before. */
const restartProxy = async (): Promise<void> => {
  await node.sandbox.signal("proxy/supervisor/main.ts", "KILL");
  await until(
    async () => (await node.sandbox.pids("proxy/")).length === 0,
    () => node.supervisor?.output,
  );
  await startProxy();
};

const inPod = (netns: string, program: string, ...args: readonly string[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, program), ...args], { netns });

const lastLine = async (started: Started): Promise<Readonly<Record<string, unknown>>> => {
  await until(
    () => started.lines.length > 0,
    () => `${started.output} ${node.supervisor?.output}`,
  );
  return started.lines.at(-1) ?? {};
};

const ask = (from: string) => lastLine(inPod(from, "client.ts", "ask", node.address("web"), "8080"));

const hold = async (from: string): Promise<Started> => {
  const held = inPod(from, "client.ts", "hold", node.address("web"), "8085", "3", "eof");
  await until(
    () => held.output.includes("held"),
    () => held.output,
  );
  return held;
};

/** A tunnel client whose certificate and clock are right. */
const visit = () => {
  const host = node.address("web");
  const pem = files.issue(node.directory, "visitor", "spiffe://cluster.local/ns/shop/sa/visitor");
  return lastLine(
    inPod("visitor", "hbone-client.ts", JSON.stringify({ host, ...pem, headers: { ":authority": `${host}:8080` } })),
  );
};

const certificates = async () => (await node.status()).certificates;
const states = async () => [...new Set((await certificates()).map(({ state }) => state))];
const problems = async () => (await certificates()).map(({ lastError }) => lastError ?? "").join("\n");
const failed = (direction: string) =>
  node.accessLog().findLast((line) => line.event === "failed" && line.direction === direction);

const expectRecovered = async (): Promise<void> => {
  await expect.poll(states, RECOVERED).toEqual(["valid"]);
  await expect.poll(async () => (await node.status()).controlPlane.connected, RECOVERED).toBe(true);
  for (const from of ["client", "other", "third"]) {
    await expect.poll(() => ask(from), RECOVERED).not.toHaveProperty("error");
  }
  expect(await visit()).toMatchObject({ status: 200 });
};

/** Sets the clock of the node, its workers' by replacing them. */
const setNodeClock = async (seconds: number): Promise<void> => {
  clocks.set("node", seconds);
  const before = await node.sandbox.pids("proxy/worker/main.ts");
  await node.sandbox.signal("proxy/worker/main.ts", "KILL");
  await until(
    async () => {
      const { workers } = await node.status();
      return workers.length > 0 && workers.every(({ pid }) => !before.includes(pid));
    },
    () => node.supervisor?.output,
  );
};

test.each([
  ["10 minutes behind", -10 * MINUTE, /is not yet valid; the clock of this node says/],
  ["2 days ahead", 2 * DAY, /certificate has expired; the clock of this node says/],
  ["20 years ahead", 20 * YEAR, /certificate has expired; the clock of this node says 204/],
])(
  "a node that starts with a clock %s serves nobody, says why, and serves when it is right",
  async (_, seconds, problem) => {
    clocks.set("node", seconds);
    await restartProxy();
    await expect.poll(async () => (await node.status()).controlPlane.lastError, soon).toMatch(problem);
    expect(await states()).not.toContain("valid");
    expect(await ask("client")).toMatchObject({ error: "ECONNRESET" });
    expect(await visit()).not.toHaveProperty("status");
    await setNodeClock(0);
    await expectRecovered();
  },
);

test("a node whose clock is 10 minutes ahead works", async () => {
  clocks.set("node", 10 * MINUTE);
  await restartProxy();
  await expectRecovered();
});

test.each([
  [
    "forward by 20 years",
    20 * YEAR,
    /the peer's certificate expired.*, and here it is 204.*: compare the clocks of both nodes/,
  ],
  [
    "back by a day",
    -DAY,
    /the peer's certificate is not valid yet, and here it is .*: compare the clocks of both nodes/,
  ],
])(
  "a clock that goes %s while a node runs ends nothing, has peers refused with both times, and back again all is well",
  async (_, seconds, problem) => {
    await restartProxy();
    await expect.poll(states, RECOVERED).toEqual(["valid"]);
    const held = await hold("client");
    clocks.set("node", seconds);
    await expect
      .poll(() => node.supervisor?.output, soon)
      .toContain("the clock of this node was set, or the node slept");
    await expect.poll(problems, soon).toMatch(/here it is/);
    held.endInput();
    expect(await lastLine(held)).toEqual({ echoed: 3, survivors: 3 });
    await setNodeClock(seconds);
    expect(await ask("third")).toMatchObject({ error: "ECONNRESET" });
    await expect
      .poll(() => failed("outbound"), soon)
      .toMatchObject({ error: expect.stringMatching(problem) as string });
    expect(await visit()).not.toHaveProperty("status");
    await expect
      .poll(() => failed("inbound")?.error, soon)
      .toMatch(/the peer's certificate .* 20[0-9-]+T[0-9:]+Z, and here it is 20.*: compare the clocks of both nodes/);
    await setNodeClock(0);
    await expectRecovered();
  },
);

test.each([
  ["2 days ahead", 2 * DAY],
  ["a day behind", -DAY],
])(
  "a control plane whose clock was %s for a while cuts nobody off, and signs for everybody when it is right",
  async (_, seconds) => {
    await restartProxy();
    await expectRecovered();
    const held = await hold("client");
    const noticed = () => node.controlPlane?.output.split("the clock was set, or the machine slept").length ?? 0;
    const before = noticed();
    clocks.set("control-plane", seconds);
    await expect.poll(noticed, soon).toBe(before + 1);
    // Whoever has a certificate goes on with it.
    expect(await ask("other")).not.toHaveProperty("error");
    expect(await visit()).toMatchObject({ status: 200 });
    clocks.set("control-plane", 0);
    await expect.poll(noticed, soon).toBe(before + 2);
    held.endInput();
    expect(await lastLine(held)).toEqual({ echoed: 3, survivors: 3 });
    // A node that comes anew needs everything: the control plane's own certificate, a token, one for each pod.
    await restartProxy();
    await expectRecovered();
  },
);
