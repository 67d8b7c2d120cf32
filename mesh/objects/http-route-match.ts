import { err, ok, type Result } from "../result.ts";
import type { HttpMatch, PathMatch, ValueMatch } from "../routes/route.ts";
import { optional, parsed, type Problem, type Reader, required, strictObject } from "./reader.ts";
import { boundedList, boundedText, checkRegex, headerName, knownWord } from "./route-text.ts";

const ROOT: PathMatch = { kind: "prefix", value: "/" };

/** A match that says nothing: every request. */
export const EVERY_REQUEST: HttpMatch = { path: ROOT, method: undefined, headers: [], queryParams: [] };

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const;

/** Reads a match of an HTTPRoute. @param unsupported takes what is in order and not known here */
export const httpRouteMatch = (unsupported: Problem[]): Reader<HttpMatch> =>
  strictObject<HttpMatch>({
    path: optional(pathMatch(unsupported), ROOT),
    method: optional(knownWord(unsupported, ...METHODS)),
    headers: optional(headerMatches(unsupported), []),
    queryParams: optional(queryParamMatches(unsupported), []),
  });

/** Of several conditions on one header, in whatever case, the first counts. */
export const headerMatches = (unsupported: Problem[]): Reader<readonly ValueMatch[]> =>
  distinct(boundedList(valueMatch(unsupported, headerName, 4_096), 0, 16));

const queryParamMatches = (unsupported: Problem[]): Reader<readonly ValueMatch[]> =>
  distinct(boundedList(valueMatch(unsupported, boundedText(1, 256), 1_024), 0, 16));

const distinct =
  (items: Reader<readonly ValueMatch[]>): Reader<readonly ValueMatch[]> =>
  (value, path, problems) => {
    const all = items(value, path, problems);
    return all.filter((item, index) => all.findIndex(({ name }) => name === item.name) === index);
  };

const valueMatch =
  (unsupported: Problem[], name: Reader<string>, maxLength: number): Reader<ValueMatch> =>
  (value, path, problems) => {
    const read = strictObject({
      type: optional(knownWord(unsupported, "Exact", "RegularExpression"), "Exact"),
      name: required(name),
      value: required(boundedText(1, maxLength)),
    })(value, path, problems);
    const kind = read.type === "Exact" ? "exact" : "regex";
    if (kind === "regex") checkRegex(read.value, `${path}.value`, unsupported);
    return { kind, name: read.name, value: read.value };
  };

const pathMatch =
  (unsupported: Problem[]): Reader<PathMatch> =>
  (value, path, problems) => {
    const before = unsupported.length;
    const read = strictObject({
      type: optional(knownWord(unsupported, "PathPrefix", "Exact", "RegularExpression"), "PathPrefix"),
      value: optional(boundedText(0, 1_024), "/"),
    })(value, path, problems);
    if (read.type === "RegularExpression") {
      checkRegex(read.value, `${path}.value`, unsupported);
      return { kind: "regex", value: read.value };
    }
    // What a type that is not known says of its value is not known either; and what is no text has been said.
    if (unsupported.length === before && typeof read.value === "string")
      parsed(parsePath)(read.value, `${path}.value`, problems);
    return { kind: read.type === "Exact" ? "exact" : "prefix", value: read.value };
  };

const MUST_NOT_CONTAIN = ["//", "/./", "/../", "%2f", "%2F", "#"];

/** A path as Gateway API has it in Exact and PathPrefix. */
const parsePath = (path: string): Result<string, string> => {
  if (!path.startsWith("/")) return err("must start with /");
  const bad = MUST_NOT_CONTAIN.find((part) => path.includes(part));
  if (bad !== undefined) return err(`must not contain ${bad}`);
  if (/\/\.\.?$/.test(path)) return err("must not end in /. or /..");
  return /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/.test(path)
    ? ok(path)
    : err("must only contain what a path may (RFC 3986 section 3.3), the rest percent-encoded");
};
