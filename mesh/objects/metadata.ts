import { err, ok, type Result } from "../result.ts";
import { list, mapOf, object, optional, parsed, type Reader, required, text } from "./reader.ts";

/** What every Kubernetes object says of itself. */
export interface Metadata {
  readonly name: string;
  /** Empty for objects that live in no namespace. */
  readonly namespace: string;
  readonly uid: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  /** RFC 3339; undefined while it was never stored by an API server. */
  readonly creationTimestamp: string | undefined;
  readonly deletionTimestamp: string | undefined;
  readonly owners: readonly Owner[];
}

export interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly controller: boolean;
}

/** Labels that must all be there with these values. */
export type LabelSelector = ReadonlyMap<string, string>;

/** RFC 1123 label: lower-case letters, digits and dashes, at most 63. */
export const parseDnsLabel = (name: string): Result<string, string> =>
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
    ? ok(name)
    : err(`${JSON.stringify(name.slice(0, 80))} is not a name: lower-case letters, digits and dashes, up to 63`);

/** RFC 1123 subdomain: labels joined by dots, at most 253 characters. */
export const parseDnsSubdomain = (name: string): Result<string, string> =>
  name.length <= 253 && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/.test(name)
    ? ok(name)
    : err(`${JSON.stringify(name.slice(0, 80))} is not a name: lower-case letters, digits, dashes and dots, up to 253`);

const owner = object<Owner>({
  kind: required(text),
  name: required(text),
  controller: optional((value) => value === true, false),
});

const fields = {
  name: required(parsed(parseDnsSubdomain)),
  uid: optional(text, ""),
  labels: optional(mapOf(text), new Map<string, string>()),
  annotations: optional(mapOf(text), new Map<string, string>()),
  creationTimestamp: optional(text),
  deletionTimestamp: optional(text),
};

const ownerReferences = optional(list(owner), [] as readonly Owner[]);

/** Metadata of an object that lives in a namespace; `default` where none is given, as kubectl does. */
export const namespacedMetadata: Reader<Metadata> = (value, path, problems) => {
  const { ownerReferences: owners, ...metadata } = object({
    ...fields,
    namespace: optional(parsed(parseDnsLabel), "default"),
    ownerReferences,
  })(value, path, problems);
  return { ...metadata, owners };
};

/** Metadata of a Namespace, whose name is a label because it becomes a part of DNS names and identities. */
export const clusterMetadata: Reader<Metadata> = (value, path, problems) => ({
  ...object({ ...fields, name: required(parsed(parseDnsLabel)) })(value, path, problems),
  namespace: "",
  owners: [],
});

/** Whether all labels of the selector are there. An empty selector matches everything. */
export const selects = (selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean =>
  [...selector].every(([name, value]) => labels.get(name) === value);
