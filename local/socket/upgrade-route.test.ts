import { expect, test } from "vitest";
import { parseUpgradeRequest } from "./upgrade-route.ts";

const NODES = ["node-1", "node-2"];
const parse = (query: string) => parseUpgradeRequest(new URLSearchParams(query), NODES);

test("all nodes are meant unless one is named, and half a minute for both waits", () => {
  expect(parse("")).toEqual({ ok: true, value: { node: undefined, drainSeconds: 30, readySeconds: 30 } });
  expect(parse("node=node-2&drainSeconds=0&readySeconds=1")).toEqual({
    ok: true,
    value: { node: "node-2", drainSeconds: 0, readySeconds: 1 },
  });
});

test.each([
  ["node=node-3", 'there is no node "node-3"; the mesh\'s nodes are node-1, node-2'],
  ["drainSeconds=-1", "drainSeconds must be from 0 to 86400"],
  ["drainSeconds=1.5", "drainSeconds must be from 0 to 86400"],
  ["drainSeconds=1e9", "drainSeconds must be from 0 to 86400"],
  ["readySeconds=0", "readySeconds must be from 1 to 600"],
  ["readySeconds=soon", "readySeconds must be from 1 to 600"],
])("%s is refused: %s", (query, error) => {
  expect(parse(query)).toEqual({ ok: false, error });
});
