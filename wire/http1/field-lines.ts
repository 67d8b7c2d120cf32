import type { Field } from "../field.ts";
import { CLASS, COLON, isWhiteSpace, SP, TOKEN, UNDERSCORE } from "./characters.ts";
import { field } from "./head.ts";
import type { HeadFacts } from "./head-facts.ts";
import { Http1Error, quote } from "./http1-error.ts";
import type { Section } from "./section-reader.ts";

/** `_` and `-` are the same to CGI and its heirs: whoever checks `x-user` may let `x_user` through. */
export type UnderscoreRule = "accept" | "reject";

/**
 * Checks the lines of a section; its scanner has seen to the bytes of values. Fields are not made of them: {@link fieldsOf}.
 *
 *     field-line   = field-name ":" OWS field-value OWS                RFC 9112 section 5
 *     field-name   = token                                             RFC 9110 section 5.1
 *
 * No white space before the name (line folding) nor after it: both were read differently by different parsers.
 *
 * @param first index of the first field line: 1 after a start line
 * @param facts notes what the fields say about the message itself
 * @returns whether each line is `name: value` with one space, as we write it
 */
export const checkFieldLines = (
  section: Section,
  first: number,
  underscores: UnderscoreRule,
  facts: HeadFacts | undefined,
): boolean => {
  const { raw, lineEnds, lineCount } = section;
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
    if (raw[colon] !== COLON || colon === start) throw badFieldLine(section.text.slice(start, end));
    if ((seen & UNDERSCORE) !== 0 && underscores === "reject")
      throw new Http1Error(
        "underscore-in-field-name",
        `field name ${quote(section.text.slice(start, colon))} has an underscore`,
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
    facts?.note(section, start, colon, valueStart, valueEnd);
    start = end + 2;
  }
  return isRegular;
};

/** The fields of a head whose lines were checked. @param text of the head */
export const fieldsOf = (text: string): readonly Field[] => fieldsFrom(text, text.indexOf("\r\n") + 2);

/** The fields of a trailer section whose lines were checked. @param text of the section */
export const trailersOf = (text: string): readonly Field[] => fieldsFrom(text, 0);

const fieldsFrom = (text: string, from: number): readonly Field[] => {
  const fields: Field[] = [];
  for (let start = from; ;) {
    const end = text.indexOf("\r\n", start);
    if (end === start) return fields;
    const colon = text.indexOf(":", start);
    let valueStart = colon + 1;
    let valueEnd = end;
    while (valueStart < valueEnd && isWhiteSpace(text.charCodeAt(valueStart))) valueStart += 1;
    while (valueEnd > valueStart && isWhiteSpace(text.charCodeAt(valueEnd - 1))) valueEnd -= 1;
    fields.push(field(text.slice(start, colon), text.slice(valueStart, valueEnd)));
    start = end + 2;
  }
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
