import { bytesOf } from "#wire/http1/testing/record.ts";
import { REQUEST_CASES } from "#wire/http1/testing/request-cases.ts";
import { mutate } from "#test/fuzz/mutate.ts";
import { Random } from "#test/fuzz/random.ts";
import { disagreement } from "./http1-disagreement.ts";
import { type Peer, startBackend, startOurs } from "./http1-peers.ts";
import { type MissingPeer, startPrograms } from "./http1-programs.ts";
import { compare, type Input, type Outcome, type Tally } from "./http1-tally.ts";
import { understoodBy, understoodByUs } from "./http1-understood.ts";
import { HTTP1_WORDS } from "./http1-words.ts";

/** What came of comparing one side of HTTP/1. */
export interface Comparison {
  /** What was compared, in words. */
  readonly title: string;
  readonly tallies: readonly (readonly [peer: string, tally: Tally])[];
  readonly missing: readonly MissingPeer[];
}

const MAX_INPUT_BYTES = 48 * 1024;

/** Gives requests to every server, and compares which of them arrive behind it. */
export const compareRequests = async (mutations: number, seed: number): Promise<Comparison> => {
  const backend = await startBackend();
  const started = [backend];
  try {
    const ours = await startOurs(backend.port);
    started.push(ours);
    const { peers, missing } = await startPrograms(backend.port);
    started.push(...peers);
    const compared = [ours, backend, ...peers];
    for (const peer of compared) await mustWork(peer);
    const inputs = [...cases(), ...mutated(mutations, seed)];
    const tallies = await Promise.all(
      compared.map(async (peer) => [peer.name, await compare(inputs, ({ bytes }) => lookAt(peer, bytes))] as const),
    );
    const accepted = inputs.filter(({ bytes }) => understoodByUs(bytes).requests.length > 0).length;
    const title = `requests: ${REQUEST_CASES.length} cases, ${mutations} mutations of seed ${seed}; in ${accepted} we accept a request`;
    return { title, tallies, missing };
  } finally {
    await Promise.all(started.map((peer) => peer.stop()));
  }
};

const cases = (): readonly Input[] => REQUEST_CASES.map(({ id, bytes }) => ({ id, bytes: bytesOf(bytes) }));

/** Few changes, and most to what we accept: what everybody refuses tells nothing. */
const mutated = (count: number, seed: number): readonly Input[] => {
  const others = REQUEST_CASES.map(({ bytes }) => bytesOf(bytes)).filter(({ length }) => length < 2000);
  const accepted = others.filter((bytes) => understoodByUs(bytes).refusal === undefined);
  const ingredients = { dictionary: HTTP1_WORDS, others, maxBytes: MAX_INPUT_BYTES, maxChanges: 2 };
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => ({
    id: `mutation ${i}`,
    bytes: mutate(random.of(random.below(4) === 0 ? others : accepted), ingredients, random),
  }));
};

/** A peer that answers nothing would agree with every refusal. */
const mustWork = async (peer: Peer): Promise<void> => {
  const { requests } = await understoodBy(peer, bytesOf("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
  const [request] = requests;
  if (request?.method !== "POST" || request.target !== "/a" || request.contentBytes !== 3)
    throw new Error(`${peer.name} does not work: it made ${JSON.stringify(requests)} of a plain request`);
};

/**
 * A request that is missing is looked at again without what we refuse after it, which may have overtaken its answer, and with
 * an end that comes late.
 */
const lookAt = async (peer: Peer, bytes: Uint8Array): Promise<Outcome> => {
  const ours = understoodByUs(bytes);
  const found = disagreement(peer.name, ours, await understoodBy(peer, bytes));
  if (found.kind !== "unexplained" || found.theirs !== "refused") return found;
  const accepted = bytes.subarray(0, ours.acceptedBytes);
  return disagreement(peer.name, understoodByUs(accepted), await understoodBy(peer, accepted, true));
};
