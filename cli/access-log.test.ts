import { expect, test } from "vitest";
import { accessLogText } from "./access-log.ts";

test("a line says when, what and which way, and then the rest by name", () => {
  const entry = {
    level: 30,
    time: 1_767_268_800_000,
    log: "access",
    node: "node-1",
    bytes_sent: 5,
    "src.workload": "client",
    direction: "outbound",
    msg: "connection complete",
  };
  expect(accessLogText(entry)).toBe(
    "2026-01-01T12:00:00.000Z  connection complete  outbound  bytes_sent=5  src.workload=client",
  );
});
