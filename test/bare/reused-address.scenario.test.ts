import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IssuedFiles, type PemFiles } from "../mesh/issued-files.ts";
import { BareNode, until } from "./bare-node.ts";
import type { Started } from "./sandbox.ts";

/*
 * An address that was one pod's is another's, and the node has not heard of it yet: everything that it knows and holds says the
 * first. The pods are played by programs that know nothing of Heddle, and each has a certificate of its own service account.
 */

const PROGRAMS = join(import.meta.dirname, "../programs");
const FIRST = "spiffe://cluster.local/ns/shop/sa/first";
const SECOND = "spiffe://cluster.local/ns/shop/sa/second";

let node: BareNode;
let server: Started;
const files = new IssuedFiles();
const soon = { timeout: 15_000 };

beforeAll(async () => {
  node = await BareNode.make(["client", "first", "web"]);
  await node.upWith("client", "web");
  start("web", "server.ts");
  server = await serve(FIRST);
});
afterAll(async () => {
  files.dispose();
  await node.dispose();
});

const start = (netns: string, program: string, ...args: readonly string[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, program), ...args], { netns });

const pemOf = (id: string): PemFiles => files.issue(node.directory, id, id);

/** The pod at the address of `first`, whoever it is now. */
const serve = async (id: string): Promise<Started> => {
  const started = start("first", "hbone-server.ts", JSON.stringify({ host: "::", ...pemOf(id) }));
  await until(
    () => started.output.includes("listening"),
    () => started.output,
  );
  return started;
};

const replaceBy = async (id: string): Promise<void> => {
  server.kill();
  await until(
    () => server.hasEnded,
    () => server.output,
  );
  server = await serve(id);
};

const outcome = async (client: Started): Promise<Readonly<Record<string, unknown>>> => {
  await until(
    () => client.lines.length > 0,
    () => `${client.output} ${node.supervisor?.output}`,
  );
  return client.lines[0] ?? {};
};

const call = (...command: readonly string[]): Started => {
  const [name = "", port = "", ...more] = command;
  return start("client", "client.ts", name, node.address("first"), port, ...more);
};

const requests = () => server.lines.filter(({ event }) => event === "request");
const failed = () => node.accessLog().findLast(({ event }) => event === "failed");

const visit = (id: string): Started => {
  const host = node.address("web");
  const wish = { host, ...pemOf(id), headers: { ":authority": `${host}:8080` } };
  return start("first", "hbone-client.ts", JSON.stringify(wish));
};

test("a pod that got the address of another is not believed to be that one, whatever the caller holds, and nothing arrives at it", async () => {
  const held = call("hold", "8085", "3", "eof");
  await until(
    () => held.output.includes("held"),
    () => held.output,
  );
  expect(await outcome(call("ask", "8080"))).not.toHaveProperty("error");
  expect(requests().length).toBe(4);

  await replaceBy(SECOND);
  // In clear there is somebody too, who would take whatever comes.
  const inClear = start("first", "server.ts");
  await until(
    () => inClear.output.includes("listening"),
    () => inClear.output,
  );
  held.endInput();
  expect(await outcome(held)).toEqual({ echoed: 3, survivors: 0 });
  for (const command of [
    ["ask", "8080"],
    ["upload", "8081", "100000"],
  ]) {
    expect(await outcome(call(...command))).toMatchObject({ error: "ECONNRESET" });
    await expect
      .poll(failed, soon)
      .toMatchObject({ reason: "unexpected-identity", error: `expected ${FIRST}, the server is ${SECOND}` });
  }
  expect(requests()).toEqual([]);

  // When the node has heard of it, it is reached as who it is.
  node.writeObjects([], { first: "second" });
  await expect.poll(() => outcome(call("ask", "8080")), soon).not.toHaveProperty("error");
  await expect
    .poll(() => node.accessLog().findLast(({ event }) => event === "closed"), soon)
    .toMatchObject({ "dst.identity": SECOND });
  inClear.kill();
});

test("a caller from an address that was another's is who its certificate says, and gets nothing of the other's name", async () => {
  node.writeObjects();
  for (const [id, workload] of [
    [FIRST, "first"],
    [SECOND, undefined],
  ] as const) {
    await expect.poll(() => outcome(visit(id)), soon).toMatchObject({ status: 200 });
    const opened = () =>
      node.accessLog().findLast(({ event, direction }) => event === "opened" && direction === "inbound");
    await expect.poll(() => opened()?.["src.identity"], soon).toBe(id);
    await expect
      .poll(async () => {
        await outcome(visit(id));
        return opened()?.["src.workload"];
      }, soon)
      .toBe(workload);
  }
});
