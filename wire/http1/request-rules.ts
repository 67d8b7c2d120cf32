import type { UnderscoreRule } from "./field-lines.ts";
import { REGISTERED_METHODS } from "./method.ts";

/** What a listener decides about requests that are well-formed. */
export interface RequestRules {
  /** Others are answered 501. */
  readonly methods: ReadonlySet<string>;
  readonly connect: "accept" | "reject";
  readonly underscores: UnderscoreRule;
  /**
   * HTTP/1.0 knows no Host. Without one there is nothing to route by, and no host a policy could look at; whoever
   * accepts it adds a Host before it is forwarded.
   */
  readonly hostlessHttp10: "accept" | "reject";
}

/** For a peer that is not trusted. */
export const STRICT_REQUEST_RULES: RequestRules = {
  methods: REGISTERED_METHODS,
  connect: "reject",
  underscores: "reject",
  hostlessHttp10: "reject",
};
