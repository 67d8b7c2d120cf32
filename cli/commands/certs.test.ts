import { expect, test } from "vitest";
import { rotationText } from "./certs.ts";

test.each([
  [{ kind: "idle" }, "The root is not being changed."],
  [
    { kind: "announcing", waitingFor: ["node-1", "node-2"] },
    "A new root is announced. It signs when these nodes trust it: node-1, node-2",
  ],
  [
    { kind: "announcing", waitingFor: [] },
    "A new root is announced, and every connected node trusts it: it signs next.",
  ],
  [
    { kind: "retiring", until: "2026-01-02T00:00:00Z", waitingFor: ["node-1"] },
    "The old root is trusted until 2026-01-02T00:00:00Z. Certificates under it are still held by: node-1",
  ],
  [
    { kind: "retiring", until: "2026-01-02T00:00:00Z", waitingFor: [] },
    "The old root is trusted until 2026-01-02T00:00:00Z.",
  ],
] as const)("a rotation that is %j says who holds it back", (rotation, text) => {
  expect(rotationText(rotation)).toBe(text);
});
