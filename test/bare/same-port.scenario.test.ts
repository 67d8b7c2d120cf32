import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareNode, until } from "./bare-node.ts";
import type { Started } from "./sandbox.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");

let node: BareNode;

const says = (started: Started, words: string): Promise<void> =>
  until(
    () => started.output.includes(words),
    () => started.output,
  );

beforeAll(async () => {
  node = await BareNode.make(["client", "web", "other", "stranger"]);
  await node.upWith("client", "web", "other");
  for (const netns of ["web", "other"]) {
    await says(node.sandbox.start([process.execPath, join(PROGRAMS, "server.ts")], { netns }), "listening");
  }
});
afterAll(() => node.dispose());

/** Opens a connection to each of these from one and the same port, all open at once, and says what each was answered. */
const SCRIPT = `
const net = require("net");
const [port, ...targets] = process.argv.slice(1);
const all = targets.map((target) => new Promise((resolve) => {
  const [host, to] = target.split("|");
  const socket = net.connect({ host, port: Number(to), localPort: Number(port) });
  socket.setTimeout(8000, () => resolve("timeout")).on("error", (e) => resolve(e.code));
  socket.once("data", (data) => resolve(String(data)));
  socket.write("x");
}));
Promise.all(all).then((outcomes) => { console.log(JSON.stringify(outcomes)); process.exit(0); });`;

const fromOnePort = async (netns: string, port: number, ...targets: readonly string[]): Promise<unknown> =>
  JSON.parse(await node.sandbox.run([process.execPath, "-e", SCRIPT, String(port), ...targets], { netns }));

test.each([4, 6] as const)(
  "over IPv%i a caller outside the mesh may use one port for connections to two ports of a pod",
  async (family) => {
    const web = node.address("web", family);
    expect(await fromOnePort("stranger", 45_000, `${web}|8085`, `${web}|8088`)).toEqual([
      "x",
      expect.stringContaining(`"peer":"${node.address("stranger", family)}"`),
    ]);
  },
);

test("a pod may use one port for connections to two others", async () => {
  const [web, other] = [node.address("web"), node.address("other")];
  expect(await fromOnePort("client", 45_000, `${web}|8085`, `${other}|8085`, `${web}|8088`)).toEqual([
    "x",
    "x",
    expect.stringContaining("peer"),
  ]);
});
