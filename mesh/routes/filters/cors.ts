import { type Field, fieldValue, isNamed, newField } from "../field.ts";
import type { RequestFacts } from "../request-facts.ts";
import type { Cors } from "../route.ts";

/** What a browser asks and gets (Fetch standard, section 3.3; Gateway API, HTTPCORSFilter). */
type CorsRequest = Pick<RequestFacts, "method" | "fields">;

const ANY = "*";
/** Always allowed: a form or an image may send them without asking (CORS-safelisted methods). */
const SAFE_METHODS = ["GET", "HEAD", "POST"];

/** Whether a request only asks what it would be allowed to do. */
export const isPreflight = ({ method, fields }: CorsRequest): boolean =>
  method === "OPTIONS" &&
  fieldValue(fields, "origin") !== undefined &&
  fieldValue(fields, "access-control-request-method") !== undefined;

/** The fields of the answer to a preflight, status 204; none of CORS for an origin that is not allowed. */
export const preflightFields = (cors: Cors, request: CorsRequest): readonly Field[] => {
  const origin = allowedOrigin(cors, request);
  if (origin === undefined) return VARY;
  const asked = (name: string): string | undefined => fieldValue(request.fields, name);
  const method = asked("access-control-request-method");
  const headers = asked("access-control-request-headers");
  const methods =
    cors.allowMethods.includes(ANY) && cors.allowCredentials
      ? method
      : listOf(cors.allowMethods.includes(ANY) ? [ANY] : [...new Set([...SAFE_METHODS, ...cors.allowMethods])]);
  const allowedHeaders = cors.allowHeaders.includes(ANY) && cors.allowCredentials ? headers : listOf(cors.allowHeaders);
  return [
    ...originFields(cors, origin),
    ...(method !== undefined && methods !== undefined ? [newField("access-control-allow-methods", methods)] : []),
    ...(headers !== undefined && allowedHeaders !== undefined
      ? [newField("access-control-allow-headers", allowedHeaders)]
      : []),
    newField("access-control-max-age", String(cors.maxAgeSeconds)),
    ...VARY,
  ];
};

/** The fields of a response with those of CORS; what the backend said of CORS does not count. */
export const corsResponseFields = (cors: Cors, request: CorsRequest, fields: readonly Field[]): readonly Field[] => {
  const own = fields.filter(({ name }) => !name.toLowerCase().startsWith("access-control-"));
  const origin = allowedOrigin(cors, request);
  const exposed = listOf(
    // With credentials `*` would be taken as the name of a header.
    cors.exposeHeaders.includes(ANY) && cors.allowCredentials ? namesOf(own) : cors.exposeHeaders,
  );
  return [
    ...own,
    ...(origin === undefined ? [] : originFields(cors, origin)),
    ...(origin === undefined || exposed === undefined ? [] : [newField("access-control-expose-headers", exposed)]),
    ...(own.some((field) => isNamed(field, "vary") && /(?:^|[, ])(?:\*|origin)(?:$|[, ])/i.test(field.value))
      ? []
      : VARY),
  ];
};

/** Answers to one origin must not be given to another by a cache. */
const VARY: readonly Field[] = [newField("vary", "origin")];

const originFields = ({ allowCredentials }: Cors, origin: string): readonly Field[] => [
  newField("access-control-allow-origin", origin),
  ...(allowCredentials ? [newField("access-control-allow-credentials", "true")] : []),
];

/** What to say of the request's origin; undefined where it is not allowed. `*` never stands beside credentials. */
const allowedOrigin = ({ allowOrigins, allowCredentials }: Cors, { fields }: CorsRequest): string | undefined => {
  const origin = fieldValue(fields, "origin");
  if (origin === undefined) return undefined;
  if (allowOrigins.includes(ANY)) return allowCredentials ? origin : ANY;
  return allowOrigins.some((allowed) => originMatches(allowed, origin)) ? origin : undefined;
};

/** `*` stands for one character or more, dots included; scheme and host have no case. */
const originMatches = (allowed: string, origin: string): boolean => {
  const isAnyPort = allowed.endsWith(":*");
  const pattern = (isAnyPort ? allowed.slice(0, -2) : allowed).toLowerCase();
  const given = (isAnyPort ? origin.replace(/:[0-9]+$/, "") : origin).toLowerCase();
  const star = pattern.indexOf(ANY);
  if (star < 0) return pattern === given;
  const [start, end] = [pattern.slice(0, star), pattern.slice(star + 1)];
  const middle = given.slice(start.length, given.length - end.length);
  return (
    given.length > start.length + end.length &&
    given.startsWith(start) &&
    given.endsWith(end) &&
    // The host only: neither a port nor another scheme's part.
    !/[/@:]/.test(middle)
  );
};

const listOf = (names: readonly string[]): string | undefined => (names.length === 0 ? undefined : names.join(", "));

const namesOf = (fields: readonly Field[]): readonly string[] => [
  ...new Set(fields.map(({ name }) => name.toLowerCase()).filter((name) => name !== "set-cookie")),
];
