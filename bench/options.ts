import { parseArgs } from "node:util";
import { err, ok, type Result } from "#mesh/result.ts";

/** What the bench was asked to do. */
export type BenchOptions =
  | { readonly kind: "help" }
  | {
      readonly kind: "mesh" | "scale" | "hop" | "wire" | "floods";
      readonly rounds: number;
      /** Of one measurement. */
      readonly seconds: number;
      readonly isQuick: boolean;
      /** Of the floods, those whose id begins with this. */
      readonly only: string;
      /** Where the numbers are written to. */
      readonly json: string | undefined;
    };

export const HELP = `npm run bench -- [mesh|scale|hop|wire|floods] [options]

  mesh   a local mesh against no proxy at all, against a pair of haproxy with mutual TLS, and against
         a pair of Envoy where ENVOY= names the program (default)
  scale  a mesh with 1,000 routes and 10,000 endpoints against one with 1 and 3
  hop    one hop in clear on loopback: our forwarders of HTTP/1.1 and HTTP/2 against haproxy
  wire   the codecs in wire/ against those of Node.js
  floods what a peer that sends HTTP/2 frames without end costs us, and others on the same worker

  --rounds N       how often everything is measured (3; scale and floods: 5)
  --seconds S      how long one measurement lasts (5; wire and floods: 1)
  --quick          one round of one second: to see that it works, not to compare
  --only ID        of the floods: those whose id begins so
  --json FILE      write every number to a file
  --help

bench/README.md says how it is measured, and what the numbers do not say.
`;

const isKind = (kind: string): kind is keyof typeof DEFAULT_SECONDS => Object.hasOwn(DEFAULT_SECONDS, kind);

const MOST_ROUNDS = 100;
const MOST_SECONDS = 60;
const DEFAULT_SECONDS = { mesh: 5, scale: 5, hop: 5, wire: 1, floods: 1 } as const;
/** The time of the slowest in a hundred says little in one round. */
const DEFAULT_ROUNDS = { mesh: 3, scale: 5, hop: 3, wire: 3, floods: 5 } as const;

/** @returns what is wrong with the command line otherwise */
export const parseOptions = (args: readonly string[]): Result<BenchOptions, string> => {
  const parsed = parsedArgs(args);
  if (!parsed.ok) return parsed;
  const { values, positionals } = parsed.value;
  if (values.help) return ok({ kind: "help" });
  const [kind = "mesh", ...rest] = positionals;
  if (!isKind(kind)) return err(`${JSON.stringify(kind)} is nothing to measure: mesh, scale, hop, wire or floods`);
  if (values.only && kind !== "floods") return err("--only chooses among floods");
  if (rest.length > 0) return err(`one thing at a time, not also ${rest.join(", ")}`);
  const isQuick = values.quick;
  const rounds = count(values.rounds, isQuick ? 1 : DEFAULT_ROUNDS[kind], MOST_ROUNDS, "--rounds");
  if (!rounds.ok) return rounds;
  const seconds = count(values.seconds, isQuick ? 1 : DEFAULT_SECONDS[kind], MOST_SECONDS, "--seconds");
  if (!seconds.ok) return seconds;
  return ok({ kind, rounds: rounds.value, seconds: seconds.value, isQuick, only: values.only, json: values.json });
};

const parsedArgs = (args: readonly string[]) => {
  try {
    return ok(
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          rounds: { type: "string" },
          seconds: { type: "string" },
          quick: { type: "boolean", default: false },
          only: { type: "string", default: "" },
          json: { type: "string" },
          help: { type: "boolean", short: "h", default: false },
        },
      }),
    );
  } catch (error) {
    return err((error as Error).message);
  }
};

const count = (text: string | undefined, fallback: number, most: number, name: string): Result<number, string> => {
  if (text === undefined) return ok(fallback);
  const value = Number(text);
  return /^[0-9]+$/.test(text) && value >= 1 && value <= most ? ok(value) : err(`${name}: 1 to ${most} are possible`);
};
