import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

const MESH = { kind: "mesh", rounds: 3, seconds: 5, isQuick: false, only: "", json: undefined };

test.each([
  [[], MESH],
  [["mesh", "--rounds", "5", "--seconds=2"], { ...MESH, rounds: 5, seconds: 2 }],
  [["--quick"], { ...MESH, rounds: 1, seconds: 1, isQuick: true }],
  [["--quick", "--rounds", "2"], { ...MESH, rounds: 2, seconds: 1, isQuick: true }],
  [["wire", "--json", "out.json"], { ...MESH, kind: "wire", seconds: 1, json: "out.json" }],
  [["scale"], { ...MESH, kind: "scale", rounds: 5 }],
  [["hop"], { ...MESH, kind: "hop" }],
  [["floods"], { ...MESH, kind: "floods", rounds: 5, seconds: 1 }],
  [["floods", "--only", "ping"], { ...MESH, kind: "floods", rounds: 5, seconds: 1, only: "ping" }],
  [["wire", "--help"], { kind: "help" }],
])("%j is understood", (args, expected) => {
  expect(parseOptions(args)).toEqual({ ok: true, value: expected });
});

test.each([
  [["moon"], "nothing to measure"],
  [["mesh", "wire"], "one thing at a time"],
  [["--rounds", "0"], "--rounds: 1 to 100"],
  [["--seconds", "1.5"], "--seconds: 1 to 60"],
  [["wire", "--only", "ping"], "among floods"],
  [["--rouds", "1"], "--rouds"],
])("%j is refused with words", (args, words) => {
  const parsed = parseOptions(args);
  expect(!parsed.ok && parsed.error).toContain(words);
});
