import { assertNever } from "../assert-never.ts";
import { err, ok, type Result } from "../result.ts";
import { compileRegex, type LinearRegex, matchesWithin, type RegexBudget } from "./linear-regex.ts";
import { hasPrefix, normalPrefix } from "./path-prefix.ts";
import type { MatchedRequest } from "./request-facts.ts";
import type { GrpcMatch, HttpMatch, TextMatch, ValueMatch } from "./route.ts";

/** A match, ready to hold requests against it. */
export interface CompiledMatch {
  readonly path: CompiledPath;
  readonly method: string | undefined;
  readonly headers: readonly CompiledValue[];
  readonly queryParams: readonly CompiledValue[];
}

export type CompiledPath =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly prefix: string }
  | { readonly kind: "regex"; readonly regex: LinearRegex }
  /** `/service/method` of gRPC. */
  | { readonly kind: "rpc"; readonly service: TextPattern | undefined; readonly method: TextPattern | undefined };

export type TextPattern =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "regex"; readonly regex: LinearRegex };

interface CompiledValue {
  readonly name: string;
  readonly pattern: TextPattern;
}

/** The first condition that a request does not fulfil. */
export type Mismatch =
  | { readonly kind: "path"; readonly wanted: string }
  | { readonly kind: "method"; readonly wanted: string }
  | { readonly kind: "header"; readonly name: string; readonly wanted: string; readonly found: string | undefined }
  | {
      readonly kind: "query-param";
      readonly name: string;
      readonly wanted: string;
      readonly found: string | undefined;
    };

/** @returns what is wrong with a regular expression otherwise */
export const compileHttpMatch = (match: HttpMatch): Result<CompiledMatch, string> => {
  const regex = match.path.kind === "regex" ? compileRegex(match.path.value) : undefined;
  if (regex && !regex.ok) return regex;
  const path: CompiledPath = regex
    ? { kind: "regex", regex: regex.value }
    : match.path.kind === "exact"
      ? { kind: "exact", value: match.path.value }
      : { kind: "prefix", prefix: normalPrefix(match.path.value) };
  const headers = compileValues(match.headers);
  if (!headers.ok) return headers;
  const queryParams = compileValues(match.queryParams);
  if (!queryParams.ok) return queryParams;
  return ok({ path, method: match.method, headers: headers.value, queryParams: queryParams.value });
};

/** @returns what is wrong with a regular expression otherwise */
export const compileGrpcMatch = (match: GrpcMatch): Result<CompiledMatch, string> => {
  const service = match.service && compileText(match.service);
  if (service && !service.ok) return service;
  const method = match.method && compileText(match.method);
  if (method && !method.ok) return method;
  const headers = compileValues(match.headers);
  if (!headers.ok) return headers;
  const path: CompiledPath = { kind: "rpc", service: service?.value, method: method?.value };
  return ok({ path, method: undefined, headers: headers.value, queryParams: [] });
};

const compileText = ({ kind, value }: TextMatch): Result<TextPattern, string> => {
  if (kind === "exact") return ok({ kind, value });
  const regex = compileRegex(value);
  return regex.ok ? ok({ kind, regex: regex.value }) : regex;
};

const compileValues = (matches: readonly ValueMatch[]): Result<readonly CompiledValue[], string> => {
  const values: CompiledValue[] = [];
  for (const match of matches) {
    const pattern = compileText(match);
    if (!pattern.ok) return err(`${match.name}: ${pattern.error}`);
    values.push({ name: match.name, pattern: pattern.value });
  }
  return ok(values);
};

/** Whether the path fulfils its condition. */
export const pathMatches = (condition: CompiledPath, { path, budget }: MatchedRequest): boolean => {
  switch (condition.kind) {
    case "exact":
      return path === condition.value;
    case "prefix":
      return hasPrefix(path, condition.prefix);
    case "regex":
      return matchesWithin(condition.regex, path, budget);
    case "rpc":
      return rpcMatches(condition, path, budget);
    default:
      return assertNever(condition);
  }
};

/** A path of gRPC: `/service/method`. */
export const parseRpcPath = (path: string): { readonly service: string; readonly method: string } | undefined => {
  const slash = path.indexOf("/", 1);
  if (!path.startsWith("/") || slash < 0 || path.includes("/", slash + 1)) return undefined;
  return { service: path.slice(1, slash), method: path.slice(slash + 1) };
};

const rpcMatches = (
  { service, method }: CompiledPath & { readonly kind: "rpc" },
  path: string,
  budget: RegexBudget,
): boolean => {
  if (!service && !method) return true;
  const rpc = parseRpcPath(path);
  if (!rpc) return false;
  return (
    (!service || textMatches(service, rpc.service, budget)) && (!method || textMatches(method, rpc.method, budget))
  );
};

const textMatches = (pattern: TextPattern, text: string, budget: RegexBudget): boolean =>
  pattern.kind === "exact" ? text === pattern.value : matchesWithin(pattern.regex, text, budget);

/** What a request does not fulfil, its path aside; undefined where it fulfils everything. */
export const mismatchBesidePath = (match: CompiledMatch, request: MatchedRequest): Mismatch | undefined => {
  if (match.method !== undefined && request.method !== match.method) return { kind: "method", wanted: match.method };
  for (const { name, pattern } of match.headers) {
    const found = request.header(name);
    if (found === undefined || !textMatches(pattern, found, request.budget)) {
      return { kind: "header", name, wanted: wantedText(pattern), found };
    }
  }
  for (const { name, pattern } of match.queryParams) {
    const found = request.queryParam(name);
    if (found === undefined || !textMatches(pattern, found, request.budget)) {
      return { kind: "query-param", name, wanted: wantedText(pattern), found };
    }
  }
  return undefined;
};

/** The first condition that a request does not fulfil; undefined where it fulfils everything. */
export const mismatch = (match: CompiledMatch, request: MatchedRequest): Mismatch | undefined =>
  pathMatches(match.path, request)
    ? mismatchBesidePath(match, request)
    : { kind: "path", wanted: wantedPath(match.path) };

const wantedText = (pattern: TextPattern): string =>
  pattern.kind === "exact" ? pattern.value : `RegularExpression ${pattern.regex.pattern}`;

const wantedPath = (path: CompiledPath): string => {
  switch (path.kind) {
    case "exact":
      return `Exact ${path.value}`;
    case "prefix":
      return `PathPrefix ${path.prefix === "" ? "/" : path.prefix}`;
    case "regex":
      return `RegularExpression ${path.regex.pattern}`;
    case "rpc":
      return `service ${path.service ? wantedText(path.service) : "*"}, method ${path.method ? wantedText(path.method) : "*"}`;
    default:
      return assertNever(path);
  }
};
