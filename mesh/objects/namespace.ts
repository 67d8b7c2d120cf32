import { clusterMetadata, type Metadata } from "./metadata.ts";
import { object, type Reader, required } from "./reader.ts";

/** A Kubernetes Namespace (v1). */
export interface NamespaceObject {
  readonly kind: "Namespace";
  readonly metadata: Metadata;
}

export const namespaceObject: Reader<NamespaceObject> = (value, path, problems) => ({
  kind: "Namespace",
  ...object({ metadata: required(clusterMetadata) })(value, path, problems),
});
