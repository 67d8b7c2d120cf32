import { parse, stringify } from "yaml";
import type { RouteCondition } from "#mesh/admin/control-plane-status.ts";
import type { DerivedStatus, StatusEntry } from "../derive/derived-status.ts";

/** The kinds of objects that have a status in the mesh: one folder for each. */
export const STATUS_KINDS = ["HTTPRoute", "GRPCRoute", "XBackendTrafficPolicy", "BackendTLSPolicy"] as const;

/** When each condition of an object got the status that it has, RFC 3339, by {@link conditionKey}. */
export type TransitionTimes = ReadonlyMap<string, { readonly status: string; readonly at: string }>;

/** Where in a folder of statuses an object's is: `HTTPRoute/shop/web.yaml`. Names are DNS names, and thus lead nowhere else. */
export const statusPath = ({ kind, namespace, name }: Pick<DerivedStatus, "kind" | "namespace" | "name">): string =>
  `${kind}/${namespace}/${name}.yaml`;

/** The times of a status's conditions: of those that had the same status before, as before; of all others now. */
export const transitionTimes = ({ entries }: DerivedStatus, before: TransitionTimes, now: string): TransitionTimes =>
  new Map(
    entries.flatMap((entry) =>
      entry.conditions.map(({ type, status }) => {
        const key = conditionKey(entry, type);
        const known = before.get(key);
        return [key, known?.status === status ? known : { status, at: now }] as const;
      }),
    ),
  );

/** An object with its status and nothing else of it, as `kubectl get -o yaml` would show it. */
export const statusYaml = (derived: DerivedStatus, times: TransitionTimes): string => {
  const { apiVersion, kind, namespace, name, generation, field, entries } = derived;
  const status = entries.map((entry) => ({
    ...entry,
    conditions: entry.conditions.map((condition) => ({
      ...condition,
      lastTransitionTime: times.get(conditionKey(entry, condition.type))?.at,
    })),
  }));
  const document = { apiVersion, kind, metadata: { name, namespace, generation }, status: { [field]: status } };
  // Readers of YAML 1.1 take what looks like a time, or like yes and no, for one: it is quoted, as kubectl does.
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 0, schema: "yaml-1.1" });
};

/** The times in a status that was written before. @returns undefined if the text is not such a status of that file */
export const readTransitionTimes = (path: string, text: string): TransitionTimes | undefined => {
  try {
    const { kind, metadata, status } = parse(text, { maxAliasCount: 0 }) as Written;
    if (statusPath({ kind, ...metadata }) !== path) return undefined;
    const entries = status.parents ?? status.ancestors ?? [];
    return new Map(
      entries.flatMap((entry) =>
        entry.conditions.map(({ type, status, lastTransitionTime }) => [
          conditionKey(entry, type),
          { status, at: lastTransitionTime },
        ]),
      ),
    );
  } catch {
    return undefined;
  }
};

interface Written {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly status: { readonly parents?: readonly WrittenEntry[]; readonly ancestors?: readonly WrittenEntry[] };
}

interface WrittenEntry extends StatusEntry {
  readonly conditions: readonly (RouteCondition & { readonly lastTransitionTime: string })[];
}

/** Of one entry, told apart by all that it says of itself, one condition. */
const conditionKey = (entry: StatusEntry, type: string): string => {
  const { conditions: _, ...about } = entry;
  return `${JSON.stringify(about)} ${type}`;
};
