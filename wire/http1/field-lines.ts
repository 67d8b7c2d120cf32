import type { Field } from "../field.ts";
import { CLASS, COLON, isWhiteSpace, SP, TOKEN, UNDERSCORE } from "./characters.ts";
import { Http1Error, quote } from "./http1-error.ts";
import type { Section } from "./section-reader.ts";

/**
 *     field-line   = field-name ":" OWS field-value OWS                RFC 9112 section 5
 *     field-name   = token                                             RFC 9110 section 5.1
 *
 * No white space before the name (line folding) nor after it: both were read differently by different parsers.
 */
export interface FieldLines {
  readonly fields: readonly Field[];
  /** Whether each line is `name: value` with one space, as we write it. */
  readonly isRegular: boolean;
}

/** `_` and `-` are the same to CGI and its heirs: whoever checks `x-user` may let `x_user` through. */
export type UnderscoreRule = "accept" | "reject";

/** @param first index of the first field line: 1 after a start line. The section's scanner has seen to the bytes of values. */
export const readFieldLines = (section: Section, first: number, underscores: UnderscoreRule): FieldLines => {
  const { raw, text, lineEnds, lineCount } = section;
  const fields: Field[] = [];
  let isRegular = true;
  let start = first === 0 ? 0 : (lineEnds[first - 1] as number) + 2;
  for (let line = first; line < lineCount; line += 1) {
    const end = lineEnds[line] as number;
    let colon = start;
    let seen = 0;
    // The CR at the end of the line is no token character.
    for (let set = byteClass(raw, colon); (set & TOKEN) !== 0; set = byteClass(raw, colon)) {
      seen |= set;
      colon += 1;
    }
    if (raw[colon] !== COLON || colon === start) throw badFieldLine(text.slice(start, end));
    if ((seen & UNDERSCORE) !== 0 && underscores === "reject")
      throw new Http1Error(
        "underscore-in-field-name",
        `field name ${quote(text.slice(start, colon))} has an underscore`,
      );
    let valueStart = colon + 1;
    let valueEnd = end;
    if (raw[valueStart] === SP) valueStart += 1;
    else isRegular = false;
    if (isWhiteSpace(raw[valueStart] as number) || isWhiteSpace(raw[valueEnd - 1] as number)) {
      while (valueStart < valueEnd && isWhiteSpace(raw[valueStart] as number)) valueStart += 1;
      while (valueEnd > valueStart && isWhiteSpace(raw[valueEnd - 1] as number)) valueEnd -= 1;
      if (valueStart !== colon + 2 || valueEnd !== end) isRegular = false;
    }
    fields.push({ name: text.slice(start, colon), value: text.slice(valueStart, valueEnd), isNeverIndexed: false });
    start = end + 2;
  }
  return { fields, isRegular };
};

const byteClass = (bytes: Uint8Array, at: number): number => CLASS[bytes[at] as number] as number;

const badFieldLine = (line: string): Http1Error => {
  const name = line.split(":", 1)[0] ?? "";
  if (name === line)
    return new Http1Error("bad-field-line", `field line ${quote(line)} has no colon (RFC 9112 section 5)`);
  if (isWhiteSpace(line.charCodeAt(0)))
    return new Http1Error("bad-field-line", `field line ${quote(line)} begins with white space (RFC 9112 section 5.2)`);
  return new Http1Error("bad-field-name", `field name ${quote(name)} is not a token (RFC 9110 section 5.1)`);
};
