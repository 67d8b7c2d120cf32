/**
 * What becomes of a field that is in no table yet: it is put into the dynamic table, sent as it is, or sent with the word that
 * nobody on the way may put it into a table either (RFC 7541 sections 6.2.1 to 6.2.3).
 */
export type Indexing = "indexed" | "not-indexed" | "never-indexed";

/**
 * Which of the three. Table space goes to what is likely to come again on the same connection:
 * - never indexed: credentials, and cookies so short that they could be guessed. Connections are shared by clients who do not
 *   trust each other; one of them who sees sizes could try out values until one of them is found in the table (section 7.1);
 * - not indexed: what is different in nearly every message, and paths that speak of one resource;
 * - indexed: all else. A gRPC method is a path that comes again; a long cookie comes again and cannot be guessed.
 * @param name in lower case, as HTTP/2 sends it
 */
export const indexingOf = (name: string, value: string): Indexing => {
  const policy = POLICY.get(name);
  return policy === undefined ? "indexed" : policy(value);
};

/** Behind a name such as `session=` this leaves a dozen characters, too many to be found by trying. */
const MIN_INDEXED_COOKIE_BYTES = 20;

const never = (): Indexing => "never-indexed";
const cookie = (value: string): Indexing => (value.length < MIN_INDEXED_COOKIE_BYTES ? "never-indexed" : "indexed");
const notIndexed = (): Indexing => "not-indexed";
/** A query, or two digits in a row, as in ids, dates and hashes; `/shop.v1.Cart/AddItem` has neither. */
const path = (value: string): Indexing => (/\?|\d\d/.test(value) ? "not-indexed" : "indexed");

const POLICY: ReadonlyMap<string, (value: string) => Indexing> = new Map([
  [":path", path],
  ...["authorization", "proxy-authorization", "x-api-key", "x-auth-token"].map((name) => [name, never] as const),
  ["cookie", cookie],
  // Sent once for each client, unlike the cookie that comes back.
  ["set-cookie", (value) => (cookie(value) === "never-indexed" ? "never-indexed" : "not-indexed")],
  ...[
    "age",
    "b3",
    "content-length",
    "content-range",
    "etag",
    "forwarded",
    "grpc-timeout",
    "grpc-trace-bin",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "last-modified",
    "range",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "x-b3-parentspanid",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-correlation-id",
    "x-envoy-upstream-service-time",
    "x-request-id",
  ].map((name) => [name, notIndexed] as const),
]);
