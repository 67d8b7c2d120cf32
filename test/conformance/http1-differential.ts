/**
 * Gives the same bytes to our HTTP/1 parser and to those of nginx, haproxy, Apache httpd and Node.js, and compares what each
 * takes for a request: all cases of wire/http1, then random changes of them. Where we accept what another refuses or frames
 * differently, that is a bug of ours or has an entry in http1-explained.ts.
 *
 *     npm run conformance:http1 -- [--mutations N] [--seed S]
 *
 * Exit code: 0 all is explained; 1 something is not; 2 wrong use; 3 all is explained, but a program is missing.
 */
import { parseArgs } from "node:util";
import { bytesOf } from "#wire/http1/testing/record.ts";
import { REQUEST_CASES } from "#wire/http1/testing/request-cases.ts";
import { mutate } from "#test/fuzz/mutate.ts";
import { Random } from "#test/fuzz/random.ts";
import { type Disagreement, disagreement } from "./http1-disagreement.ts";
import { type Peer, startBackend, startOurs, startPrograms } from "./http1-peers.ts";
import { understoodBy, understoodByUs } from "./http1-understood.ts";
import { HTTP1_WORDS } from "./http1-words.ts";

interface Input {
  readonly id: string;
  readonly bytes: Uint8Array;
}

interface Tally {
  agreed: number;
  /** We refuse what the peer accepts: that is what a strict parser is for. */
  stricter: number;
  undecided: number;
  readonly explained: Map<string, number>;
  readonly unexplained: { readonly input: Input; readonly found: Disagreement }[];
}

const USAGE = `npm run conformance:http1 -- [--mutations N] [--seed S]
  --mutations N   random changes of the cases after the cases themselves (default 2000)
  --seed S        which changes (default 1)
  --help`;

/** Connections at a time: enough to hide the peers' waiting. */
const AT_A_TIME = 24;
/** Disagreements of one peer that are shown in full. */
const SHOWN = 12;
const MAX_INPUT_BYTES = 48 * 1024;

const main = async (): Promise<number> => {
  const { mutations, seed, help } = options();
  if (help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
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
    const tallies = await Promise.all(compared.map(async (peer) => [peer, await compare(peer, inputs)] as const));
    const accepted = inputs.filter(({ bytes }) => understoodByUs(bytes).requests.length > 0).length;
    process.stdout.write(
      `${REQUEST_CASES.length} cases, ${mutations} mutations of seed ${seed}; in ${accepted} we accept a request\n`,
    );
    for (const [peer, tally] of tallies) report(peer, tally);
    for (const { name, howToGet } of missing) process.stdout.write(`missing: ${name} (${howToGet})\n`);
    if (tallies.some(([, { unexplained }]) => unexplained.length > 0)) return 1;
    return missing.length > 0 ? 3 : 0;
  } finally {
    await Promise.all(started.map((peer) => peer.stop()));
  }
};

const options = (): { readonly mutations: number; readonly seed: number; readonly help: boolean } => {
  const { values } = parseArgs({
    options: { mutations: { type: "string" }, seed: { type: "string" }, help: { type: "boolean" } },
  });
  return {
    mutations: natural(values.mutations ?? "2000"),
    seed: natural(values.seed ?? "1"),
    help: values.help === true,
  };
};

const natural = (text: string): number => {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new TypeError(`${JSON.stringify(text)} is not a number`);
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

const compare = async (peer: Peer, inputs: readonly Input[]): Promise<Tally> => {
  const tally: Tally = { agreed: 0, stricter: 0, undecided: 0, explained: new Map(), unexplained: [] };
  const left = inputs.values();
  const work = async (): Promise<void> => {
    for (const input of left) count(tally, input, await lookAt(peer, input.bytes));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return tally;
};

/**
 * A request that is missing is looked at again without what we refuse after it, which may have overtaken its answer, and with
 * an end that comes late.
 */
const lookAt = async (peer: Peer, bytes: Uint8Array): Promise<Disagreement> => {
  const ours = understoodByUs(bytes);
  const found = disagreement(peer.name, ours, await understoodBy(peer, bytes));
  if (found.kind !== "unexplained" || found.theirs !== "refused") return found;
  const accepted = bytes.subarray(0, ours.acceptedBytes);
  return disagreement(peer.name, understoodByUs(accepted), await understoodBy(peer, accepted, true));
};

const count = (tally: Tally, input: Input, found: Disagreement): void => {
  switch (found.kind) {
    case "agreed":
    case "stricter":
    case "undecided":
      tally[found.kind] += 1;
      break;
    case "explained":
      tally.explained.set(found.why, (tally.explained.get(found.why) ?? 0) + 1);
      break;
    case "unexplained":
      tally.unexplained.push({ input, found });
  }
};

const report = (peer: Peer, tally: Tally): void => {
  const { agreed, stricter, undecided, explained, unexplained } = tally;
  const sum = [...explained.values()].reduce((a, b) => a + b, 0);
  process.stdout.write(
    `${peer.name}: ${agreed} agreed, ${stricter} only we refuse, ${sum} explained, ${undecided} undecided, ${unexplained.length} UNEXPLAINED\n`,
  );
  for (const [why, times] of explained) process.stdout.write(`    ${times} x ${why}\n`);
  for (const { input, found } of unexplained.slice(0, SHOWN)) {
    const text = Buffer.from(input.bytes).toString("latin1");
    const { kind, ...rest } = found;
    process.stdout.write(`  ${kind} ${input.id}: ${JSON.stringify(text.slice(0, 600))}\n    ${JSON.stringify(rest)}\n`);
  }
};

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  return 2;
});
