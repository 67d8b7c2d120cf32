import { type Metadata, namespacedMetadata } from "./metadata.ts";
import { object, type Reader, required } from "./reader.ts";

/** A Kubernetes ServiceAccount (v1): the name that an identity is made from. */
export interface ServiceAccountObject {
  readonly kind: "ServiceAccount";
  readonly metadata: Metadata;
}

export const serviceAccountObject: Reader<ServiceAccountObject> = (value, path, problems) => ({
  kind: "ServiceAccount",
  ...object({ metadata: required(namespacedMetadata) })(value, path, problems),
});
