import type { HeaderModifier, HeaderValue, PathModifier, RouteFilter, Share } from "../routes/route.ts";
import { corsFilter } from "./cors-filter.ts";
import { type BackendReference, backendReference } from "./gateway-reference.ts";
import { integer, object, optional, port, type Problem, type Reader, required, strictObject, text } from "./reader.ts";
import { boundedList, boundedText, headerName, knownWord, preciseHostname } from "./route-text.ts";

/** A filter whose backends are what the object refers to. */
export type FilterObject = RouteFilter<BackendReference>;

/** Types of filters and the members that belong to them. */
const MEMBERS: ReadonlyMap<string, string> = new Map([
  ["RequestHeaderModifier", "requestHeaderModifier"],
  ["ResponseHeaderModifier", "responseHeaderModifier"],
  ["RequestRedirect", "requestRedirect"],
  ["URLRewrite", "urlRewrite"],
  ["RequestMirror", "requestMirror"],
  ["CORS", "cors"],
  ["ExtensionRef", "extensionRef"],
  ["ExternalAuth", "externalAuth"],
]);

/** A GRPCRoute has a choice of them. */
export const GRPC_FILTERS: ReadonlySet<string> = new Set([
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "ExtensionRef",
]);
export const HTTP_FILTERS: ReadonlySet<string> = new Set(MEMBERS.keys());

/** These may stand several times in a list. */
const REPEATED: ReadonlySet<string> = new Set(["RequestMirror", "ExtensionRef"]);

/**
 * Reads the filters of a rule or of a backend. One that the mesh does not know becomes `unavailable`, so that requests it
 * should have been applied to are answered with an error instead of passing without it.
 * @param unsupported takes what is in order and not known here
 */
export const routeFilters =
  (types: ReadonlySet<string>, unsupported: Problem[]): Reader<readonly FilterObject[]> =>
  (value, path, problems) => {
    const filters = boundedList(routeFilter(types, unsupported), 0, 16)(value, path, problems);
    const items: readonly unknown[] = Array.isArray(value) ? value.slice(0, 16) : [];
    const given = items.map((item) => typeOf(item));
    for (const [index, type] of given.entries()) {
      if (type !== undefined && MEMBERS.has(type) && !REPEATED.has(type) && given.indexOf(type) < index) {
        problems.push({ path: `${path}[${index}].type`, message: `${type} is there twice` });
      }
    }
    if (given.includes("RequestRedirect") && given.includes("URLRewrite")) {
      problems.push({ path, message: "must not have RequestRedirect and URLRewrite both" });
    }
    return filters;
  };

const typeOf = (filter: unknown): string | undefined => {
  const { type } = (filter ?? {}) as { readonly type?: unknown };
  return typeof type === "string" ? type : undefined;
};

const routeFilter =
  (types: ReadonlySet<string>, unsupported: Problem[]): Reader<FilterObject> =>
  (value, path, problems) => {
    const { type } = object({ type: required(text) })(value, path, problems);
    const member = MEMBERS.get(type);
    if (member === undefined || !types.has(type)) {
      const reason = `${JSON.stringify(type.slice(0, 40))} is none of ${[...types].join(", ")}`;
      if (typeOf(value) !== undefined) unsupported.push({ path: `${path}.type`, message: reason });
      return {
        kind: "unavailable",
        cause: "unsupported",
        reason: `a filter of type ${type.slice(0, 40)} is not supported`,
      };
    }
    onlyMember(value, member, path, problems);
    const own: Problem[] = [];
    const read = object({ [member]: required(readerOf(type, own)) })(value, path, problems);
    const filter = read[member] as FilterObject;
    unsupported.push(...own);
    const [first] = own;
    return first ? { kind: "unavailable", cause: "unsupported", reason: `${first.path}: ${first.message}` } : filter;
  };

/** A filter has the member that its type names, and no other. */
const onlyMember = (value: unknown, member: string, path: string, problems: Problem[]): void => {
  for (const [name, given] of Object.entries(value ?? {})) {
    if (name === "type" || name === member || given === undefined || given === null) continue;
    problems.push({ path: `${path}.${name}`, message: `does not belong to this type; only ${member} does` });
  }
};

const readerOf = (type: string, unsupported: Problem[]): Reader<FilterObject> => {
  switch (type) {
    case "RequestHeaderModifier":
      return headerModifier("request-header-modifier", unsupported);
    case "ResponseHeaderModifier":
      return headerModifier("response-header-modifier", unsupported);
    case "RequestRedirect":
      return requestRedirect(unsupported);
    case "URLRewrite":
      return urlRewrite(unsupported);
    case "RequestMirror":
      return requestMirror;
    case "CORS":
      return corsFilter;
    case "ExternalAuth":
      return externalAuth;
    default:
      return extensionRef;
  }
};

/** What carries the message itself cannot be changed by a route: two readers of it would not agree where it ends. */
const FRAMING: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const headerValue: Reader<HeaderValue> = strictObject<HeaderValue>({
  name: required(headerName),
  value: required(boundedText(1, 4_096)),
});

const headerModifierFields: Reader<HeaderModifier> = strictObject<HeaderModifier>({
  set: optional(boundedList(headerValue, 0, 16), []),
  add: optional(boundedList(headerValue, 0, 16), []),
  remove: optional(boundedList(headerName, 0, 16), []),
});

const headerModifier =
  (kind: "request-header-modifier" | "response-header-modifier", unsupported: Problem[]): Reader<FilterObject> =>
  (value, path, problems) => {
    const read = headerModifierFields(value, path, problems);
    const names = [...read.set, ...read.add].map(({ name }) => name).concat(read.remove);
    for (const [index, name] of names.entries()) {
      if (name !== undefined && names.indexOf(name) < index) {
        problems.push({ path, message: `${name} is named twice: a header takes one action` });
      }
    }
    const framing = names.find((name) => FRAMING.has(name));
    if (framing !== undefined)
      unsupported.push({ path, message: `the header ${framing} cannot be changed by a route` });
    return { kind, ...read };
  };

const pathModifier =
  (unsupported: Problem[]): Reader<PathModifier> =>
  (value, path, problems) => {
    const before = unsupported.length;
    const read = strictObject({
      type: required(knownWord(unsupported, "ReplaceFullPath", "ReplacePrefixMatch")),
      replaceFullPath: optional(boundedText(0, 1_024)),
      replacePrefixMatch: optional(boundedText(0, 1_024)),
    })(value, path, problems);
    if (unsupported.length > before) return { kind: "full", value: "/" };
    const isFull = read.type === "ReplaceFullPath";
    const [wanted, other] = isFull
      ? (["replaceFullPath", "replacePrefixMatch"] as const)
      : (["replacePrefixMatch", "replaceFullPath"] as const);
    if (read[wanted] === undefined)
      problems.push({ path: `${path}.${wanted}`, message: `is required by ${read.type}` });
    if (read[other] !== undefined)
      problems.push({ path: `${path}.${other}`, message: `does not belong to ${read.type}` });
    const replacement = read[wanted] ?? "";
    // A space would end the request target, and # or ? would end the path.
    if (/[\s#?]|[^\u0021-\u007e]/.test(replacement)) {
      unsupported.push({
        path: `${path}.${wanted}`,
        message: "must be a path: percent-encode what is not ASCII, ? or #",
      });
    }
    return { kind: isFull ? "full" : "prefix", value: replacement };
  };

const requestRedirect =
  (unsupported: Problem[]): Reader<FilterObject> =>
  (value, path, problems) => {
    const { statusCode, ...read } = strictObject({
      scheme: optional(knownWord(unsupported, "http", "https")),
      hostname: optional(preciseHostname),
      path: optional(pathModifier(unsupported)),
      port: optional(port),
      statusCode: optional(integer(100, 599), 302),
    })(value, path, problems);
    const known = ([301, 302, 303, 307, 308] as const).find((status) => status === statusCode);
    if (known === undefined) {
      unsupported.push({ path: `${path}.statusCode`, message: `${statusCode} is none of 301, 302, 303, 307, 308` });
    }
    return { kind: "request-redirect", ...read, statusCode: known ?? 302 };
  };

const urlRewrite =
  (unsupported: Problem[]): Reader<FilterObject> =>
  (value, path, problems) => ({
    kind: "url-rewrite",
    ...strictObject({ hostname: optional(preciseHostname), path: optional(pathModifier(unsupported)) })(
      value,
      path,
      problems,
    ),
  });

const fraction: Reader<Share> = (value, path, problems) => {
  const read = strictObject<Share>({
    numerator: required(integer(0, 2_147_483_647)),
    denominator: optional(integer(1, 2_147_483_647), 100),
  })(value, path, problems);
  if (read.numerator > read.denominator) problems.push({ path, message: "must not be more than 1" });
  return read;
};

const requestMirror: Reader<FilterObject> = (value, path, problems) => {
  const read = strictObject({
    backendRef: required(backendReference),
    percent: optional(integer(0, 100)),
    fraction: optional(fraction),
  })(value, path, problems);
  if (read.percent !== undefined && read.fraction) {
    problems.push({ path, message: "must not have percent and fraction both" });
  }
  const share = read.fraction ?? { numerator: read.percent ?? 100, denominator: 100 };
  return { kind: "request-mirror", target: read.backendRef, share };
};

const extensionRef: Reader<FilterObject> = (value, path, problems) => {
  const read = strictObject({ group: required(text), kind: required(text), name: required(text) })(
    value,
    path,
    problems,
  );
  const name = `${read.kind.slice(0, 63)} ${read.name.slice(0, 253)}`;
  return { kind: "unavailable", cause: "unresolved", reason: `no filter ${name} is known` };
};

/** Without somebody to ask nobody is let through. */
const externalAuth: Reader<FilterObject> = () => ({
  kind: "unavailable",
  cause: "unresolved",
  reason: "ExternalAuth is not supported",
});
