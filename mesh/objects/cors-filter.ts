import { err, ok, type Result } from "../result.ts";
import { flag, integer, optional, parsed, type Reader, strictObject } from "./reader.ts";
import type { Cors } from "../routes/route.ts";
import { boundedList, headerName } from "./route-text.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"];

/** An origin, of which the host may begin with or be `*`; or `*` for all. */
const parseOrigin = (origin: string): Result<string, string> =>
  origin === "*" ||
  /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/(?:\*|(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(?:[0-9]{1,5}|\*))?$/.test(
    origin,
  )
    ? ok(origin)
    : err(`${JSON.stringify(origin.slice(0, 80))} is not an origin: write scheme://host[:port], or *`);

const parseMethod = (method: string): Result<string, string> =>
  METHODS.includes(method) ? ok(method) : err(`must be one of ${METHODS.join(", ")}`);

/** `*` stands for all, and then alone. */
const wildcardOr =
  (item: Reader<string>, max: number): Reader<readonly string[]> =>
  (value, path, problems) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    if (!items.includes("*")) return boundedList(item, 0, max)(value, path, problems);
    if (items.length > 1) problems.push({ path, message: "* must stand alone" });
    return ["*"];
  };

/** Gateway API's CORS filter. */
export const corsFilter: Reader<Cors & { readonly kind: "cors" }> = (value, path, problems) => {
  const { maxAge, ...read } = strictObject({
    allowOrigins: optional(wildcardOr(parsed(parseOrigin), 64), []),
    allowMethods: optional(wildcardOr(parsed(parseMethod), 9), []),
    allowHeaders: optional(wildcardOr(headerName, 64), []),
    exposeHeaders: optional(wildcardOr(headerName, 64), []),
    allowCredentials: optional(flag, false),
    maxAge: optional(integer(1, 2_147_483_647), 5),
  })(value, path, problems);
  return { kind: "cors", ...read, maxAgeSeconds: maxAge };
};
