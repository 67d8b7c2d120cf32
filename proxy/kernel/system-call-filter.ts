import { lastError, seccomp } from "./libc.ts";
import { type Architecture, architecture, type SystemCall } from "./system-calls.ts";

/** What becomes of a system call. */
export type CallRule =
  | "allow"
  /** Fails with this number, and nothing is done. */
  | { readonly errno: number }
  /** Allowed if the low 32 bits of an argument, masked, are one of these. Otherwise it fails with EPERM. */
  | { readonly argument: number; readonly mask?: number; readonly isOneOf: readonly number[] };

export interface CallFilter {
  readonly rules: Readonly<Partial<Record<SystemCall, CallRule>>>;
  /** What becomes of every other call; numbers that did not exist when this was written too. */
  readonly others: "allow" | { readonly errno: number };
}

export const EPERM = 1;
export const ENOSYS = 38;

const SECCOMP_SET_MODE_FILTER = 1;
/** All threads at once (SECCOMP_FILTER_FLAG_TSYNC), and no slower memory for it (SECCOMP_FILTER_FLAG_SPEC_ALLOW, Linux 4.17). */
const FLAGS = 1 | 4;

/**
 * Lets the kernel refuse, from now on, what the filter does not allow: to every thread of this process, to all that it
 * starts, and for good (seccomp(2)). Needs no_new_privs or CAP_SYS_ADMIN.
 * @throws Error if the kernel does not take it
 */
export const refuseSystemCalls = (filter: CallFilter): void => {
  const program = filterProgram(filter, architecture());
  const header = { length: program.length / INSTRUCTION_BYTES, filter: program };
  const result = seccomp(architecture().numberOf("seccomp") ?? -1, SECCOMP_SET_MODE_FILTER, FLAGS, header);
  // A positive result is the thread that could not be brought along.
  if (result !== 0)
    throw new Error(`seccomp: ${result < 0 ? lastError() : `thread ${result} does not take the filter`}`);
};

const INSTRUCTION_BYTES = 8;

/** struct seccomp_data: number, architecture, where it was called from, six arguments of 64 bits (little-endian). */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argumentAt = (index: number): number => 16 + 8 * index;

const LOAD_WORD = 0x20;
const AND = 0x54;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const refusal = (errno: number): number => 0x0005_0000 | errno;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/**
 * The filter as a classic BPF program (linux/filter.h): instructions of 8 bytes {u16 code, u8 jump if true, u8 if false, u32 k}.
 * A call meant for another kind of machine ends the process: its numbers mean other calls.
 */
export const filterProgram = ({ rules, others }: CallFilter, { audit, numberOf }: Architecture): Uint8Array => {
  const ofCalls = Object.entries(rules).flatMap(([call, rule]): readonly Instruction[] => {
    const number = numberOf(call as SystemCall);
    return number === undefined ? [] : oneCall(number, rule);
  });
  const instructions: readonly Instruction[] = [
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [JUMP_IF_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER],
    ...ofCalls,
    [RETURN, 0, 0, verdict(others)],
  ];
  const bytes = new Uint8Array(INSTRUCTION_BYTES * instructions.length);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    view.setUint16(INSTRUCTION_BYTES * index, code, true);
    view.setUint8(INSTRUCTION_BYTES * index + 2, ifTrue);
    view.setUint8(INSTRUCTION_BYTES * index + 3, ifFalse);
    view.setUint32(INSTRUCTION_BYTES * index + 4, value, true);
  }
  return bytes;
};

const verdict = (rule: "allow" | { readonly errno: number }): number =>
  rule === "allow" ? ALLOW : refusal(rule.errno);

const oneCall = (number: number, rule: CallRule): readonly Instruction[] => {
  const then = isSimple(rule) ? [[RETURN, 0, 0, verdict(rule)] as const] : checkArgument(rule);
  return [[JUMP_IF_EQUAL, 0, then.length, number], ...then];
};

const isSimple = (rule: CallRule): rule is "allow" | { readonly errno: number } => rule === "allow" || "errno" in rule;

const checkArgument = ({
  argument,
  mask = 0xffff_ffff,
  isOneOf,
}: Exclude<CallRule, "allow" | { readonly errno: number }>): readonly Instruction[] => [
  [LOAD_WORD, 0, 0, argumentAt(argument)],
  [AND, 0, 0, mask],
  ...isOneOf.flatMap((value): readonly Instruction[] => [
    [JUMP_IF_EQUAL, 0, 1, value],
    [RETURN, 0, 0, ALLOW],
  ]),
  [RETURN, 0, 0, refusal(EPERM)],
];
