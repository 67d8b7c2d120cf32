import { EXPLANATIONS, type Parting } from "./http1-explained.ts";
import type { Ours, Theirs, UnderstoodRequest } from "./http1-understood.ts";

/** How a peer's reading differs from ours. */
export type Disagreement =
  | { readonly kind: "agreed" }
  /** Up to where we refuse, both read the same; the peer reads on. */
  | { readonly kind: "stricter" }
  | { readonly kind: "undecided" }
  | { readonly kind: "explained"; readonly why: string }
  | {
      readonly kind: "unexplained";
      readonly ours: UnderstoodRequest | "nothing more";
      readonly theirs: UnderstoodRequest | "refused";
      readonly statuses: readonly number[];
    };

export const disagreement = (peer: string, ours: Ours, theirs: Theirs): Disagreement => {
  if (theirs.isUndecided) return { kind: "undecided" };
  for (const [i, our] of ours.requests.entries()) {
    const their = theirs.requests[i];
    if (their !== undefined && isSame(our, their)) continue;
    return explained(peer, { our, index: i, ours, theirs }, their);
  }
  const [more] = theirs.requests.slice(ours.requests.length);
  if (more === undefined) return { kind: "agreed" };
  if (ours.refusal !== undefined) return { kind: "stricter" };
  return { kind: "unexplained", ours: "nothing more", theirs: more, statuses: theirs.statuses };
};

const isSame = (one: UnderstoodRequest, other: UnderstoodRequest): boolean =>
  one.method === other.method && one.target === other.target && one.contentBytes === other.contentBytes;

const explained = (peer: string, parting: Parting, their: UnderstoodRequest | undefined): Disagreement => {
  const entry = EXPLANATIONS.find((each) => each.peers.includes(peer) && each.covers(parting));
  if (entry !== undefined) return { kind: "explained", why: entry.why };
  const { method, target, contentBytes } = parting.our;
  const { statuses } = parting.theirs;
  return { kind: "unexplained", ours: { method, target, contentBytes }, theirs: their ?? "refused", statuses };
};
