import { type Metadata, namespacedMetadata } from "./metadata.ts";
import { anything, object, optional, type Reader, required } from "./reader.ts";

/** A Kubernetes ConfigMap (v1), as far as policies refer to it: the certificates that it may hold. */
export interface ConfigMapObject {
  readonly kind: "ConfigMap";
  readonly metadata: Metadata;
  /** What stands in `data["ca.crt"]`, read by nobody yet; undefined where there is no such text. */
  readonly caCertificates: string | undefined;
}

/** What else is in it, and what is wrong with it, is none of the mesh's business. */
export const configMapObject: Reader<ConfigMapObject> = (value, path, problems) => {
  const { metadata, data } = object({ metadata: required(namespacedMetadata), data: optional(anything) })(
    value,
    path,
    problems,
  );
  const text = (data as Readonly<Record<string, unknown>> | null | undefined)?.["ca.crt"];
  return { kind: "ConfigMap", metadata, caCertificates: typeof text === "string" ? text : undefined };
};
