import type { Outcomes } from "../../programs/steady-load.ts";

export type Role = "worker" | "agent" | "supervisor" | "control-plane";

/** SIGKILL; SIGSTOP and SIGCONT before anybody takes it for dead; SIGSTOP until it is replaced. */
export type Way = "killed" | "paused" | "hung";

/** One thing that goes wrong. */
export interface Fault {
  readonly role: Role;
  readonly way: Way;
  /** Of no meaning for the control plane. */
  readonly node: 1 | 2;
  /** After the last one was over. */
  readonly afterMs: number;
  /** How long it stands still, if it is paused. */
  readonly pauseMs: number;
}

/** How often each kind comes among 50. */
const KINDS: readonly (readonly [role: Role, way: Way, times: number])[] = [
  ["worker", "killed", 9],
  ["worker", "paused", 5],
  ["worker", "hung", 2],
  ["agent", "killed", 8],
  ["agent", "paused", 4],
  ["agent", "hung", 2],
  ["supervisor", "killed", 8],
  ["supervisor", "paused", 4],
  ["supervisor", "hung", 2],
  ["control-plane", "killed", 3],
  ["control-plane", "paused", 2],
  ["control-plane", "hung", 1],
];

const MAX_AFTER_MS = 1_500;
const MAX_PAUSE_MS = 3_000;

/** 50 faults in an order, at times and on nodes that follow from a number from 0 to 2^32. */
export const scheduleOf = (seed: number): readonly Fault[] => {
  const random = numbersFrom(seed);
  const kinds = KINDS.flatMap(([role, way, times]) => Array.from({ length: times }, () => ({ role, way })));
  return kinds
    .map((kind) => ({ kind, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ kind }) => ({
      ...kind,
      node: random() < 0.5 ? 1 : 2,
      afterMs: Math.round(random() * MAX_AFTER_MS),
      pauseMs: Math.round(random() * MAX_PAUSE_MS),
    }));
};

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
const numbersFrom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Who is another process afterwards. */
export const endsWith = ({ role, way, node }: Fault): readonly string[] => {
  if (way === "paused") return [];
  if (role === "control-plane") return [role];
  return role === "supervisor"
    ? ["supervisor", "agent", "worker"].map((each) => `${each} ${node}`)
    : [`${role} ${node}`];
};

/** What requests may meet with, beside an answer. */
export const mayBe = ({ role, way }: Fault): readonly (keyof Outcomes)[] => {
  if (way === "paused" || role === "agent" || role === "control-plane") return [];
  // Its listening sockets are the supervisor's.
  return role === "worker" ? ["reset"] : ["reset", "refused"];
};
