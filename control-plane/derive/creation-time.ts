import type { Metadata } from "#mesh/objects/metadata.ts";

/** When an API server stored an object, Unix time; Infinity where none has, so that it is the newest. */
export const createdMs = ({ creationTimestamp }: Pick<Metadata, "creationTimestamp">): number => {
  const ms = Date.parse(creationTimestamp ?? "");
  return Number.isNaN(ms) ? Infinity : ms;
};

/** The order of precedence of policies of one namespace: the oldest first, then by name (GEP-713). */
export const byAge = (a: Named, b: Named): number => {
  const age = createdMs(a.metadata) - createdMs(b.metadata);
  return age !== 0 && !Number.isNaN(age) ? age : a.metadata.name < b.metadata.name ? -1 : 1;
};

interface Named {
  readonly metadata: Pick<Metadata, "name" | "creationTimestamp">;
}
