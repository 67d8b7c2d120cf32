import { type Metadata, namespacedMetadata, parseDnsLabel, parseDnsSubdomain } from "./metadata.ts";
import { optional, parsed, port, type Reader, required, strictObject, text } from "./reader.ts";
import { boundedList } from "./route-text.ts";

/** Metadata with the generation that a status speaks about; 0 where no API server counts. */
export interface RouteMetadata extends Metadata {
  readonly generation: number;
}

/** As it stands in the object, defaults filled in: a status repeats it field for field. */
export interface ParentReference {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly sectionName: string | undefined;
  readonly port: number | undefined;
}

/** What a route sends requests to. */
export interface BackendReference {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly port: number | undefined;
}

/** Flagger and Argo Rollouts write the group of core objects as `core`. */
export const isService = ({ group, kind }: Pick<BackendReference, "group" | "kind">): boolean =>
  (group === "" || group === "core") && kind === "Service";

export const routeMetadata: Reader<RouteMetadata> = (value, path, problems) => {
  const { generation } = (value ?? {}) as { readonly generation?: unknown };
  return {
    ...namespacedMetadata(value, path, problems),
    generation: typeof generation === "number" && Number.isSafeInteger(generation) ? generation : 0,
  };
};

/** The group of an API: empty for the core, else a DNS name. */
export const apiGroup: Reader<string> = (value, path, problems) =>
  value === "" ? "" : parsed(parseDnsSubdomain)(value, path, problems);

export const parentReference: Reader<ParentReference> = strictObject({
  group: optional(apiGroup, "gateway.networking.k8s.io"),
  kind: optional(text, "Gateway"),
  namespace: optional(parsed(parseDnsLabel)),
  name: required(parsed(parseDnsSubdomain)),
  sectionName: optional(parsed(parseDnsSubdomain)),
  port: optional(port),
});

/** What a route attaches to. References to one parent must tell themselves apart. */
export const parentReferences: Reader<readonly ParentReference[]> = (value, path, problems) => {
  const parents = boundedList(parentReference, 0, 32)(value, path, problems);
  const parentKey = (parent: ParentReference): string =>
    JSON.stringify([isService(parent) ? "" : parent.group, parent.kind, parent.namespace, parent.name]);
  const placeKey = (parent: ParentReference): string => JSON.stringify([parent.sectionName, parent.port]);
  for (const [index, parent] of parents.entries()) {
    const same = parents.filter((other) => parentKey(other) === parentKey(parent));
    if (same.length > 1 && parent.sectionName === undefined && parent.port === undefined) {
      problems.push({
        path: `${path}[${index}]`,
        message: "needs a sectionName or port beside others for this parent",
      });
    } else if (same.findIndex((other) => placeKey(other) === placeKey(parent)) < same.indexOf(parent)) {
      problems.push({ path: `${path}[${index}]`, message: "is there twice" });
    }
  }
  return parents;
};

/** Fields of a backendRef, to be read with those of its place. */
export const backendReferenceFields = {
  group: optional(apiGroup, ""),
  kind: optional(text, "Service"),
  namespace: optional(parsed(parseDnsLabel)),
  name: required(parsed(parseDnsSubdomain)),
  port: optional(port),
} as const;

export const backendReference: Reader<BackendReference> = (value, path, problems) => {
  const read = strictObject<BackendReference>(backendReferenceFields)(value, path, problems);
  requireServicePort(read, path, problems);
  return read;
};

/** A Service is called at one of its ports. */
export const requireServicePort = (
  reference: BackendReference,
  path: string,
  problems: Parameters<Reader<unknown>>[2],
): void => {
  if (isService(reference) && reference.name && reference.port === undefined) {
    problems.push({ path: `${path}.port`, message: "is required for a Service" });
  }
};
