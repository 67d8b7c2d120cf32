import { encodeFrame, type Frame } from "./frame.ts";

/** The kinds of resources that make up a worker's snapshot. */
export type ResourceKind = "address" | "authorization" | "trust-bundle" | "routing";

/** What the agent tells a worker. Resources are held back until the commit that ends their transaction. */
export type AgentOrder =
  /** `bytes` undefined: the resource is gone. */
  | {
      readonly kind: "resource";
      readonly resource: ResourceKind;
      readonly name: string;
      readonly bytes: Uint8Array | undefined;
    }
  /** `complete`: the transaction is all there is, what came before is forgotten. */
  | { readonly kind: "commit"; readonly generation: number; readonly complete: boolean }
  /** What proves an identity. `chain`: DER, leaf first. `key`: PKCS#8 DER. */
  | {
      readonly kind: "credential";
      readonly identity: string;
      readonly chain: readonly Uint8Array[];
      readonly key: Uint8Array;
    }
  | { readonly kind: "credential-gone"; readonly identity: string };

export const encodeAgentOrder = (order: AgentOrder): Uint8Array => {
  if (order.kind === "resource") {
    const { bytes, ...head } = order;
    return encodeFrame({ ...head, gone: bytes === undefined }, bytes);
  }
  if (order.kind !== "credential") return encodeFrame(order);
  const { kind, identity, chain, key } = order;
  return encodeFrame({ kind, identity, lengths: chain.map(({ length }) => length) }, Buffer.concat([...chain, key]));
};

/** The agent is trusted: what it sends has the form that {@link encodeAgentOrder} gives it. */
export const decodeAgentOrder = ({ head, body }: Frame): AgentOrder => {
  const order = head as { kind: AgentOrder["kind"]; gone?: boolean; lengths?: number[] } & AgentOrder;
  if (order.kind === "resource") return { ...order, bytes: order.gone ? undefined : body };
  if (order.kind !== "credential") return order;
  const chain: Uint8Array[] = [];
  let start = 0;
  for (const length of order.lengths ?? []) chain.push(body.subarray(start, (start += length)));
  return { kind: "credential", identity: order.identity, chain, key: body.subarray(start) };
};
