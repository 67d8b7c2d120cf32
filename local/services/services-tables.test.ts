import { expect, test } from "vitest";
import { ok, type Result } from "#mesh/result.ts";
import { exampleService } from "../testing/inventory-examples.ts";
import { ManualClock, settled } from "#mesh/testing/manual-clock.ts";
import { ServicesTables } from "./services-tables.ts";

const tables = (nodes: number) => {
  const clock = new ManualClock();
  const loads: { readonly what: string; readonly finish: (result: Result<string, string>) => void }[] = [];
  const made = new ServicesTables({
    nodes,
    clock,
    load: (node, services) => {
      const { promise, resolve } = Promise.withResolvers<Result<string, string>>();
      loads.push({ what: `node-${node}: ${services.map(({ name }) => name).join(" ")}`, finish: resolve });
      return promise;
    },
  });
  const finish = async (result: Result<string, string>): Promise<readonly string[]> => {
    const finished = loads.splice(0);
    for (const load of finished) load.finish(result);
    await settled();
    return finished.map(({ what }) => what);
  };
  return { clock, tables: made, finish };
};

const web = exampleService({ name: "web" });
const cart = exampleService({ name: "cart" });
const bank = exampleService({ name: "bank" });

test("every node gets the services", async () => {
  const { tables: made, finish } = tables(2);
  made.set([web]);
  expect(await finish(ok(""))).toEqual(["node-1: web", "node-2: web"]);
});

test("changes that come meanwhile are loaded together, and the last word counts", async () => {
  const { tables: made, finish } = tables(1);
  made.set([web]);
  made.set([web, cart]);
  made.set([bank]);
  expect(await finish(ok(""))).toEqual(["node-1: web"]);
  expect(await finish(ok(""))).toEqual(["node-1: bank"]);
  expect(await finish(ok(""))).toEqual([]);
});

test("what is loaded already is not loaded again", async () => {
  const { tables: made, finish } = tables(1);
  made.set([web]);
  await finish(ok(""));
  made.set([exampleService({ name: "web" })]);
  expect(await finish(ok(""))).toEqual([]);
});

test("what failed is told, and tried again", async () => {
  const { clock, tables: made, finish } = tables(1);
  made.set([web]);
  await finish({ ok: false, error: "nft: no" });
  expect(made.problem).toBe("nft: no");
  await clock.pass(1_000);
  expect(await finish(ok(""))).toEqual(["node-1: web"]);
  expect(made.problem).toBeUndefined();
});
