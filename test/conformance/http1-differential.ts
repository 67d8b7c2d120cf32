/**
 * Gives the same bytes to our HTTP/1 parsers and to those of nginx, haproxy, Apache httpd and Node.js, and compares what each
 * takes for a request, or for the answer to one: all cases of wire/http1, then random changes of them. Where we accept what
 * another refuses or frames differently, that is a bug of ours or has an entry in http1-explained.ts, or for answers in
 * http1-response-explained.ts.
 *
 *     npm run conformance:http1 -- [--side requests|responses] [--mutations N] [--seed S]
 *
 * Exit code: 0 all is explained; 1 something is not; 2 wrong use; 3 all is explained, but a program is missing.
 */
import { parseArgs } from "node:util";
import { compareRequests } from "./http1-requests.ts";
import { compareResponses } from "./http1-responses.ts";
import { report } from "./http1-tally.ts";

const USAGE = `npm run conformance:http1 -- [--side requests|responses] [--mutations N] [--seed S]
  --side SIDE     requests, responses (default both, one after the other)
  --mutations N   random changes of the cases after the cases themselves (default 2000)
  --seed S        which changes (default 1)
  --help`;

const SIDES = { requests: compareRequests, responses: compareResponses } as const;

const main = async (): Promise<number> => {
  const { sides, mutations, seed, help } = options();
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (help) {
    print(USAGE);
    return 0;
  }
  let code = 0;
  for (const side of sides) {
    const { title, tallies, missing } = await SIDES[side](mutations, seed);
    print(title);
    for (const [peer, tally] of tallies) report(peer, tally, print);
    for (const { name, howToGet } of missing) print(`missing: ${name} (${howToGet})`);
    if (tallies.some(([, { unexplained }]) => unexplained.length > 0)) code = 1;
    else if (missing.length > 0 && code === 0) code = 3;
  }
  return code;
};

interface Options {
  readonly sides: readonly (keyof typeof SIDES)[];
  readonly mutations: number;
  readonly seed: number;
  readonly help: boolean;
}

const options = (): Options => {
  const { values } = parseArgs({
    options: {
      side: { type: "string" },
      mutations: { type: "string" },
      seed: { type: "string" },
      help: { type: "boolean" },
    },
  });
  return {
    sides: sidesOf(values.side),
    mutations: natural(values.mutations ?? "2000"),
    seed: natural(values.seed ?? "1"),
    help: values.help === true,
  };
};

const sidesOf = (side: string | undefined): Options["sides"] => {
  if (side === undefined) return ["requests", "responses"];
  if (side === "requests" || side === "responses") return [side];
  throw new TypeError(`${JSON.stringify(side)} is neither requests nor responses`);
};

const natural = (text: string): number => {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new TypeError(`${JSON.stringify(text)} is not a number`);
};

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  return 2;
});
