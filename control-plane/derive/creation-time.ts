import type { Metadata } from "#mesh/objects/metadata.ts";

/** When an API server stored an object, Unix time; Infinity where none has, so that it is the newest. */
export const createdMs = ({ creationTimestamp }: Pick<Metadata, "creationTimestamp">): number => {
  const ms = Date.parse(creationTimestamp ?? "");
  return Number.isNaN(ms) ? Infinity : ms;
};
