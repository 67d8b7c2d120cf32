import { parseDuration } from "../duration.ts";
import { err, ok, type Result } from "../result.ts";
import { compileRegex } from "../routes/linear-regex.ts";
import { list, parsed, type Problem, type Reader, text } from "./reader.ts";

/** A list of `min` to `max` items. Of one that is too long no item is looked at. */
export const boundedList =
  <Value>(item: Reader<Value>, min: number, max: number): Reader<readonly Value[]> =>
  (value, path, problems) => {
    const length = Array.isArray(value) ? value.length : min;
    if (length >= min && length <= max) return list(item)(value, path, problems);
    problems.push({ path, message: `has ${length} items and must have ${min} to ${max}` });
    return [];
  };

/** Text of `min` to `max` characters without control characters, which would end a line of HTTP. */
export const boundedText = (min: number, max: number): Reader<string> =>
  parsed((value) => {
    if (value.length < min || value.length > max)
      return err(`must have ${min} to ${max} characters, not ${value.length}`);
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    return /[\u0000-\u0008\u000a-\u001f\u007f]/.test(value) ? err("must not contain control characters") : ok(value);
  });

/**
 * One of the words of an enumeration. A word that is not known is no mistake of the object, which may be written for a later
 * version of the API or another implementation: it goes to `unsupported`, and the first word stands for it.
 */
export const knownWord =
  <const Word extends string>(unsupported: Problem[], ...words: readonly [Word, ...Word[]]): Reader<Word> =>
  (value, path, problems) => {
    const given = text(value, path, problems);
    const word = words.find((candidate) => candidate === given);
    if (word === undefined && typeof value === "string") {
      unsupported.push({ path, message: `${JSON.stringify(given.slice(0, 40))} is none of ${words.join(", ")}` });
    }
    return word ?? words[0];
  };

/** A pattern that can be compiled; one that cannot is not supported. */
export const checkRegex = (pattern: unknown, path: string, unsupported: Problem[]): void => {
  // What is no text has been said.
  if (typeof pattern !== "string") return;
  const compiled = compileRegex(pattern);
  if (!compiled.ok) unsupported.push({ path, message: compiled.error });
};

/** The name of a header field, in lower case (RFC 9110 section 5.1). */
export const headerName: Reader<string> = parsed((name) =>
  /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/.test(name)
    ? ok(name.toLowerCase())
    : err(`${JSON.stringify(name.slice(0, 40))} is not a header's name`),
);

/** Milliseconds. */
export const duration: Reader<number> = parsed(parseDuration);

/** A host to redirect or rewrite to: a DNS name without wildcard. */
export const preciseHostname: Reader<string> = parsed((name) => parseHostname(name, false));

/** A hostname of a route, whose first label may be `*`. */
export const hostname: Reader<string> = parsed((name) => parseHostname(name, true));

const parseHostname = (name: string, isWildcardAllowed: boolean): Result<string, string> => {
  const label = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
  const form = new RegExp(`^${isWildcardAllowed ? "(?:\\*\\.)?" : ""}${label}(?:\\.${label})*$`);
  return name.length <= 253 && form.test(name)
    ? ok(name)
    : err(
        `${JSON.stringify(name.slice(0, 80))} is not a hostname in lower case${isWildcardAllowed ? "" : ", without *"}`,
      );
};
