import { EXPLANATIONS, type Parting } from "./http1-explained.ts";
import type { Outcome } from "./http1-tally.ts";
import type { Ours, Theirs, UnderstoodRequest } from "./http1-understood.ts";

export const disagreement = (peer: string, ours: Ours, theirs: Theirs): Outcome => {
  if (theirs.isUndecided) return { kind: "undecided" };
  for (const [i, our] of ours.requests.entries()) {
    const their = theirs.requests[i];
    if (their !== undefined && isSame(our, their)) continue;
    return explained(peer, { our, index: i, ours, theirs }, their);
  }
  const [more] = theirs.requests.slice(ours.requests.length);
  if (more === undefined) return { kind: "agreed" };
  if (ours.refusal !== undefined) return { kind: "stricter" };
  return { kind: "unexplained", ours: "nothing more", theirs: { ...more, statuses: theirs.statuses } };
};

const isSame = (one: UnderstoodRequest, other: UnderstoodRequest): boolean =>
  one.method === other.method && one.target === other.target && one.contentBytes === other.contentBytes;

const explained = (peer: string, parting: Parting, their: UnderstoodRequest | undefined): Outcome => {
  const entry = EXPLANATIONS.find((each) => each.peers.includes(peer) && each.covers(parting));
  if (entry !== undefined) return { kind: "explained", why: entry.why };
  const { method, target, contentBytes } = parting.our;
  const { statuses } = parting.theirs;
  return {
    kind: "unexplained",
    ours: { method, target, contentBytes },
    theirs: their === undefined ? "refused" : { ...their, statuses },
  };
};
