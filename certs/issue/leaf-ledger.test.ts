import { expect, test } from "vitest";

import { LeafLedger } from "./leaf-ledger.ts";

const leaf = (root: string, node: string, holder: string | undefined, notAfter = 100) => ({
  root,
  node,
  holder,
  notAfter,
});

test("a root is in use until every leaf under it was replaced by one under another", () => {
  const ledger = new LeafLedger();
  ledger.record(leaf("A", "node-1", "node-1/0/web"));
  ledger.record(leaf("A", "node-2", "node-2/0/web"));
  ledger.record(leaf("B", "node-1", "node-1/0/web"));
  expect(ledger.nodesUnder("A", 0)).toEqual(["node-2"]);
  expect(ledger.isUnused("A", 0)).toBe(false);
  ledger.record(leaf("B", "node-2", "node-2/0/web"));
  expect(ledger.isUnused("A", 0)).toBe(true);
  expect(ledger.nodesUnder("B", 0)).toEqual(["node-1", "node-2"]);
});

test("a root is in use until every leaf under it has ended", () => {
  const ledger = new LeafLedger();
  ledger.record(leaf("A", "node-1", "node-1/0/web", 100));
  ledger.record(leaf("A", "node-1", "node-1/0/db", 200));
  expect([ledger.isUnused("A", 199), ledger.isUnused("A", 200)]).toEqual([false, true]);
});

test("who cannot tell where a leaf is used has it counted to its end, renewed or not", () => {
  const ledger = new LeafLedger();
  ledger.record(leaf("A", "node-1", undefined, 300));
  ledger.record(leaf("A", "node-1", undefined, 200));
  ledger.record(leaf("B", "node-1", undefined, 900));
  expect([ledger.isUnused("A", 299), ledger.isUnused("A", 300)]).toEqual([false, true]);
});

test("leaves of before a restart count to the latest end that they can have, and name no node", () => {
  const ledger = new LeafLedger();
  ledger.assume("A", 500);
  ledger.record(leaf("B", "node-1", "node-1/0/web"));
  expect(ledger.nodesUnder("A", 0)).toEqual([]);
  expect([ledger.isUnused("A", 499), ledger.isUnused("A", 500)]).toEqual([false, true]);
});

test("a root that nothing was signed under is unused", () => {
  expect(new LeafLedger().isUnused("A", 0)).toBe(true);
});
