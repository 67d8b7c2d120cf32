import type { Resource } from "./resource.ts";

/** The resources of one type that one node may have. */
export interface ResourceView {
  get(name: string): Resource | undefined;
  names(): Iterable<string>;
  /** The names of the resources with this name or alias. */
  find(name: string): readonly string[];
  /** What a client needs beside a resource to use it: with a service, the workloads behind it. */
  behind(name: string): readonly string[];
}

/** A type that nobody publishes. */
export const EMPTY_VIEW: ResourceView = { get: () => undefined, names: () => [], find: () => [], behind: () => [] };

/** A view of few resources that have no aliases and need nothing else. */
export const viewOf = (resources: ReadonlyMap<string, Resource>): ResourceView => ({
  get: (name) => resources.get(name),
  names: () => resources.keys(),
  find: (name) => (resources.has(name) ? [name] : []),
  behind: () => [],
});
