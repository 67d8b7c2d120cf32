import type { Pairs } from "./raw-frames.ts";

/** What a peer sends, and what comes of it. */
export interface Case {
  readonly id: string;
  readonly what: string;
  /** Section of RFC 9113, or another RFC. */
  readonly rule: string;
  readonly sent: readonly Uint8Array[];
  /** Calls of handlers. */
  readonly calls?: readonly string[];
  /** Frames that answer. */
  readonly answer: readonly string[];
}

/** The connection ends. */
export const goneWith = (code: number, last = 0): Pick<Case, "answer"> => ({
  answer: [`GOAWAY last ${last} code ${code}`],
});

/** A message that its reader resets. */
export const MALFORMED: Pick<Case, "calls" | "answer"> = { calls: [], answer: ["RST_STREAM 1 code 1"] };

/** A GET that is read. */
export const TAKEN: readonly string[] = ["request 1 GET shop /", "end 1"];

export const CONNECT: Pairs = [
  [":method", "CONNECT"],
  [":authority", "10.0.0.1:80"],
];

export const many = (count: number, make: (index: number) => readonly [string, string]): Pairs =>
  Array.from({ length: count }, (_, index) => make(index));
