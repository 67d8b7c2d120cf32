import {
  type Cors as ProtoCors,
  type Filter,
  type HeaderModifier as ProtoHeaderModifier,
  type HeaderValue as ProtoHeaderValue,
  type PathModifier as ProtoPathModifier,
  type RequestMirror,
  type RequestRedirect as ProtoRequestRedirect,
  type Target,
  UnavailableCause,
  type UrlRewrite as ProtoUrlRewrite,
} from "#api/gen/heddle/routes/v1alpha1/port_routes_pb.js";
import { assertNever } from "#mesh/assert-never.ts";
import type {
  BackendTarget,
  Cors,
  HeaderModifier,
  HeaderValue,
  PathModifier,
  RedirectStatus,
  RequestRedirect,
  RouteFilter,
  UrlRewrite,
} from "#mesh/routes/route.ts";
import { headerName, line, portNumber, serviceNameOf } from "./field-checks.ts";

const REDIRECT_STATUSES: readonly RedirectStatus[] = [301, 302, 303, 307, 308];
const SCHEMES = ["http", "https"] as const;

/** @param problems takes what is wrong with it; what is returned then is not to be used */
export const decodeFilter = ({ filter }: Filter, problems: string[]): RouteFilter => {
  switch (filter.case) {
    case "requestHeaderModifier":
      return { kind: "request-header-modifier", ...headerModifier(filter.value, problems) };
    case "responseHeaderModifier":
      return { kind: "response-header-modifier", ...headerModifier(filter.value, problems) };
    case "requestRedirect":
      return { kind: "request-redirect", ...requestRedirect(filter.value, problems) };
    case "urlRewrite":
      return { kind: "url-rewrite", ...urlRewrite(filter.value, problems) };
    case "cors":
      return { kind: "cors", ...cors(filter.value, problems) };
    case "requestMirror":
      return requestMirror(filter.value, problems);
    case "unavailable": {
      const { cause, reason } = filter.value;
      return { kind: "unavailable", cause: unavailableCause(cause, problems), reason };
    }
    case undefined:
      problems.push("a filter of unknown kind");
      return { kind: "unavailable", cause: "unsupported", reason: "" };
    default:
      return assertNever(filter);
  }
};

/** Where a backend or a mirror leads. */
export const decodeTarget = (proto: Target | undefined, problems: string[]): BackendTarget => {
  const target = proto?.target;
  switch (target?.case) {
    case "service": {
      const { service, port } = target.value;
      return { kind: "service", service: serviceNameOf(service, problems), port: portNumber(port, problems) };
    }
    case "invalid":
      return { kind: "invalid", reason: target.value };
    case undefined:
      problems.push("a target of unknown kind");
      return { kind: "invalid", reason: "" };
    default:
      return assertNever(target);
  }
};

const headerModifier = ({ set, add, remove }: ProtoHeaderModifier, problems: string[]): HeaderModifier => ({
  set: set.map((value) => headerValue(value, problems)),
  add: add.map((value) => headerValue(value, problems)),
  remove: remove.map((name) => headerName(name, problems)),
});

const headerValue = ({ name, value }: ProtoHeaderValue, problems: string[]): HeaderValue => ({
  name: headerName(name, problems),
  value: line(value, problems),
});

const requestRedirect = (proto: ProtoRequestRedirect, problems: string[]): RequestRedirect => {
  const statusCode = REDIRECT_STATUSES.find((status) => status === proto.statusCode);
  if (statusCode === undefined) problems.push(`a redirect with status ${proto.statusCode}`);
  const scheme = SCHEMES.find((each) => each === proto.scheme);
  if (scheme !== proto.scheme) problems.push("a redirect to an unknown scheme");
  return {
    scheme,
    hostname: proto.hostname === undefined ? undefined : line(proto.hostname, problems),
    path: proto.path && pathModifier(proto.path, problems),
    port: proto.port === undefined ? undefined : portNumber(proto.port, problems),
    statusCode: statusCode ?? 302,
  };
};

const urlRewrite = ({ hostname, path }: ProtoUrlRewrite, problems: string[]): UrlRewrite => ({
  hostname: hostname === undefined ? undefined : line(hostname, problems),
  path: path && pathModifier(path, problems),
});

const pathModifier = ({ modifier }: ProtoPathModifier, problems: string[]): PathModifier => {
  if (modifier.case !== undefined) return { kind: modifier.case, value: line(modifier.value, problems) };
  problems.push("a path modifier of unknown kind");
  return { kind: "full", value: "/" };
};

const cors = (proto: ProtoCors, problems: string[]): Cors => ({
  allowOrigins: proto.allowOrigins.map((origin) => line(origin, problems)),
  allowMethods: proto.allowMethods.map((method) => line(method, problems)),
  allowHeaders: proto.allowHeaders.map((name) => line(name, problems)),
  exposeHeaders: proto.exposeHeaders.map((name) => line(name, problems)),
  allowCredentials: proto.allowCredentials,
  maxAgeSeconds: proto.maxAgeSeconds,
});

const requestMirror = ({ target, numerator, denominator }: RequestMirror, problems: string[]): RouteFilter => {
  if (denominator === 0 || numerator > denominator) problems.push(`a mirror of ${numerator}/${denominator}`);
  return { kind: "request-mirror", target: decodeTarget(target, problems), share: { numerator, denominator } };
};

const unavailableCause = (cause: UnavailableCause, problems: string[]): "unsupported" | "unresolved" => {
  if (cause !== UnavailableCause.UNSUPPORTED && cause !== UnavailableCause.UNRESOLVED) {
    problems.push(`a filter that is unavailable for unknown cause ${cause}`);
  }
  return cause === UnavailableCause.UNRESOLVED ? "unresolved" : "unsupported";
};
