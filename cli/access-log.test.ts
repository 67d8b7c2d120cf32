import { expect, test } from "vitest";
import { accessLogText, parseAccessLog } from "./access-log.ts";

test("only lines of the access log are taken", () => {
  expect(parseAccessLog('{"log":"access","msg":"connection complete"}')).toEqual({
    log: "access",
    msg: "connection complete",
  });
  expect(parseAccessLog('{"msg":"supervisor is up"}')).toBeUndefined();
  expect(parseAccessLog("null")).toBeUndefined();
  expect(parseAccessLog("plain text")).toBeUndefined();
});

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
