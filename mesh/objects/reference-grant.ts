import { apiGroup } from "./gateway-reference.ts";
import { type Metadata, namespacedMetadata, parseDnsLabel, parseDnsSubdomain } from "./metadata.ts";
import { object, optional, parsed, type Reader, required, strictObject, text } from "./reader.ts";
import { boundedList } from "./route-text.ts";

/** Gateway API's ReferenceGrant: who may refer to objects of the namespace that it stands in. */
export interface ReferenceGrantObject {
  readonly kind: "ReferenceGrant";
  readonly metadata: Metadata;
  readonly from: readonly GrantFrom[];
  readonly to: readonly GrantTo[];
}

export interface GrantFrom {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

export interface GrantTo {
  readonly group: string;
  readonly kind: string;
  /** Undefined: every object of the kind. */
  readonly name: string | undefined;
}

const from = strictObject<GrantFrom>({
  group: required(apiGroup),
  kind: required(text),
  namespace: required(parsed(parseDnsLabel)),
});

const to = strictObject<GrantTo>({
  group: required(apiGroup),
  kind: required(text),
  name: optional(parsed(parseDnsSubdomain)),
});

const spec = strictObject({
  from: required(boundedList(from, 1, 16)),
  to: required(boundedList(to, 1, 16)),
});

export const referenceGrantObject: Reader<ReferenceGrantObject> = (value, path, problems) => {
  const read = object({ metadata: required(namespacedMetadata), spec: required(spec) })(value, path, problems);
  return { kind: "ReferenceGrant", metadata: read.metadata, from: read.spec.from, to: read.spec.to };
};
