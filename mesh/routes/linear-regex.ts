import { RE2JS } from "re2js";
import { err, ok, type Result } from "../result.ts";

/**
 * A regular expression of a route, in RE2's syntax, that takes time linear in the text. It always has to match the whole text,
 * as in Envoy and Istio.
 */
export interface LinearRegex {
  readonly pattern: string;
  /** Instructions of the compiled program: what one character of text costs at most. */
  readonly programSize: number;
  readonly matches: (text: string) => boolean;
  /** States of the automaton that are kept at the moment, to see that they stay few. */
  readonly keptStates: () => number;
}

export const MAX_PATTERN_CHARACTERS = 1_024;
export const MAX_PROGRAM_SIZE = 1_000;
/** A longer text matches no regular expression. */
export const MAX_REGEX_TEXT = 4_096;
/**
 * Instructions times characters that may be spent for one request, over all regular expressions that it is held against; 30 ns
 * each at worst, so 15 ms. 128 ordinary patterns of 50 instructions against paths of 60 characters stay below.
 */
export const MAX_REGEX_WORK = 500_000;
/** What a pattern may keep of the automaton that it builds as it goes. re2js would take 8 MiB, and texts that fill it can be sent. */
const MAX_AUTOMATON_BYTES = 256 * 1_024;

/** What regular expressions may still cost; one for each request. */
export interface RegexBudget {
  work: number;
}

/** Compiles a pattern within bounds. @returns what is wrong with it otherwise */
export const compileRegex = (pattern: string): Result<LinearRegex, string> => {
  if (pattern.length > MAX_PATTERN_CHARACTERS) {
    return err(`a regular expression has at most ${MAX_PATTERN_CHARACTERS} characters, not ${pattern.length}`);
  }
  const compiled = compile(pattern);
  if (!compiled.ok) return compiled;
  const regex = compiled.value;
  const programSize = regex.programSize();
  if (programSize > MAX_PROGRAM_SIZE) {
    return err(
      `the regular expression has ${programSize} instructions and may have ${MAX_PROGRAM_SIZE}: repeat less ({n,m})`,
    );
  }
  const { dfa } = regex.re2Input;
  Object.assign(dfa, { maxMem: MAX_AUTOMATON_BYTES, stateBudget: MAX_AUTOMATON_BYTES, memBudget: MAX_AUTOMATON_BYTES });
  return ok({ pattern, programSize, matches: (text) => regex.testExact(text), keptStates: () => dfa.stateCount });
};

/** Whether a text matches; no where it is longer than what may be looked at, or where the request's budget is used up. */
export const matchesWithin = (regex: LinearRegex, text: string, budget: RegexBudget): boolean => {
  const work = regex.programSize * (text.length + 1);
  if (text.length > MAX_REGEX_TEXT || work > budget.work) return false;
  budget.work -= work;
  return regex.matches(text);
};

const compile = (pattern: string): Result<RE2JS, string> => {
  try {
    return ok(RE2JS.compile(pattern));
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
};
