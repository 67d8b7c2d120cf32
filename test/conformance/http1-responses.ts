import type { AwaitedResponse } from "#wire/http1/parse-response-head.ts";
import { HTTP1_SERVER_SETTINGS } from "#proxy/transport/http1-limits.ts";
import { STRICT_REQUEST_RULES } from "#wire/http1/request-rules.ts";
import { bytesOf } from "#wire/http1/testing/record.ts";
import { ACCEPTED_RESPONSES, GET, REJECTED_RESPONSES, response } from "#wire/http1/testing/response-cases.ts";
import { mutate } from "#test/fuzz/mutate.ts";
import { Random } from "#test/fuzz/random.ts";
import { startForwarder } from "#test/programs/http1-forwarder.ts";
import { startPrograms } from "./http1-programs.ts";
import type { Comparison } from "./http1-requests.ts";
import { responseDisagreement } from "./http1-response-disagreement.ts";
import { startOrigin } from "./http1-response-origin.ts";
import { askThrough, askWithNode, type ResponsePeer, understoodByUs } from "./http1-response-understood.ts";
import { compare, type Input } from "./http1-tally.ts";
import { HTTP1_RESPONSE_WORDS } from "./http1-words.ts";

interface ResponseInput extends Input {
  readonly awaited: AwaitedResponse;
  /** By which the origin knows it. */
  readonly number: number;
}

const MAX_INPUT_BYTES = 48 * 1024;

/** Has every client and proxy ask a server that answers with the given bytes, and compares what each takes for the answer. */
export const compareResponses = async (mutations: number, seed: number): Promise<Comparison> => {
  const given = [plain, ...cases(), ...mutated(mutations, seed)];
  const inputs = given.map((input, number): ResponseInput => ({ ...input, number }));
  const origin = await startOrigin(inputs.map(({ bytes }) => bytes));
  const peers: ResponsePeer[] = [];
  try {
    peers.push(await startOurs(origin.port), nodePeer(origin.port));
    const programs = await startPrograms(origin.port);
    for (const { name, port, stop } of programs.peers) peers.push({ name, asks: isPlain, ask: through(port), stop });
    for (const peer of peers) await mustWork(peer);
    const tallies = await Promise.all(
      peers.map(async (peer) => {
        const asked = inputs.filter(({ awaited }) => peer.asks(awaited));
        return [peer.name, await compare(asked, (input) => lookAt(peer, input))] as const;
      }),
    );
    const accepted = inputs.filter(({ awaited, bytes }) => understoodByUs(awaited, bytes).response?.isComplete).length;
    const title = `responses: ${cases().length} cases, ${mutations} mutations of seed ${seed}; ${accepted} of them we read to their end`;
    return { title, tallies, missing: programs.missing };
  } finally {
    await Promise.all([...peers, origin].map((each) => each.stop()));
  }
};

type Given = Omit<ResponseInput, "number">;

/** With which every peer shows that it works. */
const plain: Given = { id: "plain", awaited: GET, bytes: bytesOf(`${response("200 OK", "Content-Length: 3")}abc`) };

const cases = (): readonly Given[] =>
  [...ACCEPTED_RESPONSES, ...REJECTED_RESPONSES].map(([id, awaited, bytes]) => ({
    id,
    awaited,
    bytes: bytesOf(bytes),
  }));

/** Few changes, and most to what we accept: what everybody refuses tells nothing. */
const mutated = (count: number, seed: number): readonly Given[] => {
  const all = cases().filter(({ bytes }) => bytes.length < 2000);
  const accepted = all.filter(({ awaited, bytes }) => understoodByUs(awaited, bytes).response?.isComplete);
  const others = all.map(({ bytes }) => bytes);
  const ingredients = { dictionary: HTTP1_RESPONSE_WORDS, others, maxBytes: MAX_INPUT_BYTES, maxChanges: 2 };
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => {
    const { awaited, bytes } = random.of(random.below(4) === 0 ? all : accepted);
    return { id: `mutation ${i}`, awaited, bytes: mutate(bytes, ingredients, random) };
  });
};

const through =
  (port: number): ResponsePeer["ask"] =>
  (awaited, number) =>
    askThrough(port, awaited, number);

/** As reverse proxies are mostly set up. */
const isPlain = ({ method, upgrade }: AwaitedResponse): boolean => method !== "CONNECT" && upgrade.length === 0;

const nodePeer = (port: number): ResponsePeer => ({
  name: "node:http",
  asks: () => true,
  ask: (awaited, number) => askWithNode(port, awaited, number),
  stop: async () => undefined,
});

/** Our own two connections around the parser: must agree with it in everything. */
const startOurs = async (originPort: number): Promise<ResponsePeer> => {
  const rules = { ...STRICT_REQUEST_RULES, connect: "accept" as const };
  const forwarder = await startForwarder(originPort, 0, { ...HTTP1_SERVER_SETTINGS, rules }, false);
  return { name: "heddle", asks: () => true, ask: through(forwarder.port), stop: async () => forwarder.close() };
};

/** A peer that answers nothing would agree with every refusal. */
const mustWork = async (peer: ResponsePeer): Promise<void> => {
  const theirs = await peer.ask(GET, 0);
  if (typeof theirs === "string" || theirs.status !== 200 || theirs.content !== "abc" || !theirs.isComplete)
    throw new Error(`${peer.name} does not work: it made ${JSON.stringify(theirs)} of a plain answer`);
};

const lookAt = async (peer: ResponsePeer, { awaited, bytes, number }: ResponseInput) =>
  responseDisagreement(peer.name, awaited, understoodByUs(awaited, bytes), await peer.ask(awaited, number));
