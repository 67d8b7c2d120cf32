import { field } from "#wire/http1/head.ts";
import type { Field } from "#wire/field.ts";

/** A request as programs send it to each other: what differs from one to the next, and what does not. */
export const requestFields = (number: number): readonly Field[] => [
  field("user-agent", "shop-cart/2.14.1 (linux; x64)"),
  field("accept", "application/json"),
  field("accept-encoding", "gzip, deflate, br"),
  field("authorization", "Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYXJ0In0.c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU"),
  field("traceparent", `00-4bf92f3577b34da6a3ce929d0e0e4736-${number.toString(16).padStart(16, "0")}-01`),
  field("x-request-id", `7f3a9c52-1b7e-4c8e-9d55-${number.toString(16).padStart(12, "0")}`),
];

export const PATH = "/v1/carts/4711/items?currency=EUR&limit=20";
export const AUTHORITY = "payments.shop.svc.cluster.local:8080";

/** The same in HTTP/2. */
export const requestSection = (number: number): readonly Field[] => [
  field(":method", "GET"),
  field(":scheme", "http"),
  field(":authority", AUTHORITY),
  field(":path", PATH),
  ...requestFields(number),
];

/** The same in HTTP/1.1. */
export const requestBytes = (number: number): Buffer => {
  const lines = [field("Host", AUTHORITY), ...requestFields(number)].map(({ name, value }) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET ${PATH} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
};

/** An answer without content. */
export const ANSWER_FIELDS: readonly Field[] = [
  field("content-type", "application/json"),
  field("cache-control", "no-store"),
  field("x-served-by", "payments-5d9c7b6f4-x2x9z"),
];
