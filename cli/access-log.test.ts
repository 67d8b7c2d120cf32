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

test("a line of a request begins with what was asked of whom and what came of it", () => {
  const entry = {
    time: 1_767_268_800_000,
    log: "access",
    node: "node-1",
    event: "request",
    msg: "request failed",
    direction: "outbound",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    duration_ms: 12,
    method: "GET",
    authority: "web.shop",
    path: "/cart/1",
    protocol: "HTTP/1.1",
    response_code: 503,
    response_flags: "UH",
    reason: "no-endpoint",
    worker: 0,
  };
  expect(accessLogText(entry)).toBe(
    "2026-01-01T12:00:00.000Z  request failed  outbound  GET web.shop/cart/1 HTTP/1.1  503 UH  12ms  " +
      "trace_id=0af7651916cd43dd8448eb211c80319c  reason=no-endpoint  worker=0",
  );
});

test("of a gRPC call its own status is told beside that of HTTP", () => {
  const entry = { event: "request", response_code: 200, grpc_status: 5, response_flags: "-", duration_ms: 1 };
  expect(accessLogText(entry)).toContain("200 grpc=5 -  1ms");
});

test("what a client sent reaches the terminal as text", () => {
  const entry = { event: "request", method: "GET", authority: "web", path: "/\u001b[2J\n\u009b", response_code: 200 };
  expect(accessLogText(entry)).toMatch(/^[ -~]+$/);
});
