import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type FilterSchema,
  type PathModifierSchema,
  type TargetSchema,
  UnavailableCause,
} from "#api/gen/heddle/routes/v1alpha1/port_routes_pb.js";
import { assertNever } from "#mesh/assert-never.ts";
import type { BackendTarget, HeaderModifier, PathModifier, RouteFilter } from "#mesh/routes/route.ts";

/** A filter of a route, or of one of its backends. */
export const encodeFilter = (filter: RouteFilter): MessageInitShape<typeof FilterSchema> => {
  switch (filter.kind) {
    case "request-header-modifier":
      return { filter: { case: "requestHeaderModifier", value: encodeHeaderModifier(filter) } };
    case "response-header-modifier":
      return { filter: { case: "responseHeaderModifier", value: encodeHeaderModifier(filter) } };
    case "request-redirect": {
      const { scheme, hostname, path, port, statusCode } = filter;
      const value = { scheme, hostname, path: path && encodePathModifier(path), port, statusCode };
      return { filter: { case: "requestRedirect", value } };
    }
    case "url-rewrite": {
      const { hostname, path } = filter;
      return { filter: { case: "urlRewrite", value: { hostname, path: path && encodePathModifier(path) } } };
    }
    case "cors":
      return {
        filter: {
          case: "cors",
          value: {
            allowOrigins: [...filter.allowOrigins],
            allowMethods: [...filter.allowMethods],
            allowHeaders: [...filter.allowHeaders],
            exposeHeaders: [...filter.exposeHeaders],
            allowCredentials: filter.allowCredentials,
            maxAgeSeconds: filter.maxAgeSeconds,
          },
        },
      };
    case "request-mirror":
      return { filter: { case: "requestMirror", value: { target: encodeTarget(filter.target), ...filter.share } } };
    case "unavailable":
      return { filter: { case: "unavailable", value: { cause: CAUSES[filter.cause], reason: filter.reason } } };
    default:
      return assertNever(filter);
  }
};

/** Where a backend or a mirror leads. */
export const encodeTarget = (target: BackendTarget): MessageInitShape<typeof TargetSchema> => {
  switch (target.kind) {
    case "service":
      return { target: { case: "service", value: { service: target.service, port: target.port } } };
    case "invalid":
      return { target: { case: "invalid", value: target.reason } };
    default:
      return assertNever(target);
  }
};

const CAUSES: Readonly<Record<Extract<RouteFilter, { kind: "unavailable" }>["cause"], UnavailableCause>> = {
  unsupported: UnavailableCause.UNSUPPORTED,
  unresolved: UnavailableCause.UNRESOLVED,
};

const encodeHeaderModifier = ({ set, add, remove }: HeaderModifier) => ({
  set: set.map(({ name, value }) => ({ name, value })),
  add: add.map(({ name, value }) => ({ name, value })),
  remove: [...remove],
});

const encodePathModifier = ({ kind, value }: PathModifier): MessageInitShape<typeof PathModifierSchema> => ({
  modifier: { case: kind, value },
});
