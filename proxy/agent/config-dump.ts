import { decodeAddress } from "../resources/address.ts";
import type { ResourceKind } from "../channel/agent-order.ts";
import { decodeAuthorization } from "../resources/authorization.ts";
import { decodeRouting } from "../resources/routing.ts";
import { RESOURCE_TYPES } from "./resource-store.ts";
import type { Agent } from "./agent.ts";

/** Everything that this node decides by, decoded, with versions. */
export const configDump = (agent: Agent): unknown => ({
  node: agent.settings.node,
  version: agent.controlPlane.version,
  generation: agent.store.generation,
  enforced: agent.enforcedGeneration,
  resources: Object.fromEntries(
    Array.from(RESOURCE_TYPES.values(), (kind) => [
      kind,
      Array.from(agent.store.resources(kind), ([name, { version, bytes }]) => ({
        name,
        version,
        value: decoded(kind, name, bytes),
      })),
    ]),
  ),
});

const decoded = (kind: ResourceKind, name: string, bytes: Uint8Array): unknown => {
  if (kind === "trust-bundle") return { bytes: bytes.length };
  const result = DECODERS[kind](name, bytes);
  return result.ok ? result.value : result.error;
};

const DECODERS = { address: decodeAddress, authorization: decodeAuthorization, routing: decodeRouting } as const;

/** Maps become objects in JSON. */
export const dumpJson = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) => (item instanceof Map ? Object.fromEntries(item) : item), 2);
