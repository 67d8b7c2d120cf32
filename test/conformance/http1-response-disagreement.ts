import type { AwaitedResponse } from "#wire/http1/parse-response-head.ts";
import { isBlind, RESPONSE_EXPLANATIONS, type ResponseParting } from "./http1-response-explained.ts";
import type { OurResponse, Theirs, UnderstoodResponse } from "./http1-response-understood.ts";
import type { Outcome } from "./http1-tally.ts";

/** How a proxy says that it does not understand its server's answer. */
const REFUSALS: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** Compares what a peer and we make of the same answer. */
export const responseDisagreement = (
  peer: string,
  awaited: AwaitedResponse,
  ours: OurResponse,
  theirs: Theirs,
): Outcome => {
  if (theirs === "undecided" || isBlind(peer, ours)) return { kind: "undecided" };
  const { response } = ours;
  const isComplete = response?.isComplete === true;
  if (theirs === "refused" || !theirs.isComplete)
    return isComplete ? explained(peer, { awaited, ours, theirs }) : AGREED;
  const isRefusal = REFUSALS.has(theirs.status);
  if (!isComplete) return isRefusal ? AGREED : { kind: "stricter" };
  if (isSame(response, theirs)) return AGREED;
  // Who says 502: the server, or the proxy about it?
  if (isRefusal && REFUSALS.has(response.status)) return { kind: "undecided" };
  return explained(peer, { awaited, ours, theirs: isRefusal ? "refused" : theirs });
};

const AGREED: Outcome = { kind: "agreed" };

const isSame = (one: UnderstoodResponse, other: UnderstoodResponse): boolean =>
  one.status === other.status && one.content === other.content;

const explained = (peer: string, parting: ResponseParting): Outcome => {
  const entry = RESPONSE_EXPLANATIONS.find((each) => each.peers.includes(peer) && each.covers(parting));
  if (entry !== undefined) return { kind: "explained", why: entry.why };
  const { ours, theirs } = parting;
  const { status, content, isComplete } = ours.response ?? {};
  return { kind: "unexplained", ours: { status, content, isComplete }, theirs };
};
