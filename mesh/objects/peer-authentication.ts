import { type LabelSelector, type Metadata, namespacedMetadata } from "./metadata.ts";
import { mapOf, object, oneOf, optional, type Reader, required, strictObject, text } from "./reader.ts";

/** Istio's PeerAuthentication (security.istio.io/v1): whether callers must come through mutual TLS. */
export interface PeerAuthenticationObject {
  readonly kind: "PeerAuthentication";
  readonly metadata: Metadata;
  /** Undefined: the whole namespace, or the whole mesh in the root namespace. */
  readonly selector: LabelSelector | undefined;
  readonly mode: MutualTlsMode;
  /** By the workload's own port. */
  readonly portModes: ReadonlyMap<number, MutualTlsMode>;
}

/** `UNSET`: what the next wider policy says. */
export type MutualTlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

const mtls = strictObject({ mode: optional(oneOf("UNSET", "DISABLE", "PERMISSIVE", "STRICT"), "UNSET") });
const unset: { readonly mode: MutualTlsMode } = { mode: "UNSET" };

const spec = strictObject({
  selector: optional(strictObject({ matchLabels: optional(mapOf(text), new Map<string, string>()) })),
  mtls: optional(mtls, unset),
  portLevelMtls: optional(mapOf(mtls), new Map<string, { readonly mode: MutualTlsMode }>()),
});

export const peerAuthenticationObject: Reader<PeerAuthenticationObject> = (value, path, problems) => {
  const read = object({
    metadata: required(namespacedMetadata),
    spec: optional(spec, { selector: undefined, mtls: unset, portLevelMtls: new Map() }),
  })(value, path, problems);
  const portModes = new Map<number, MutualTlsMode>();
  for (const [key, { mode }] of read.spec.portLevelMtls) {
    const number = /^[1-9][0-9]{0,4}$/.test(key) ? Number(key) : 0;
    if (number < 1 || number > 65535) {
      problems.push({
        path: `spec.portLevelMtls[${JSON.stringify(key)}]`,
        message: "must be keyed by a port, 1-65535",
      });
    }
    portModes.set(number, mode);
  }
  const selector = read.spec.selector?.matchLabels;
  const hasSelector = selector !== undefined && selector.size > 0;
  if (portModes.size > 0 && !hasSelector) {
    problems.push({ path: "spec.portLevelMtls", message: "needs a selector: ports belong to workloads" });
  }
  return {
    kind: "PeerAuthentication",
    metadata: read.metadata,
    selector: hasSelector ? selector : undefined,
    mode: read.spec.mtls.mode,
    portModes,
  };
};
