import type { Field } from "../field.ts";
import { checkFieldLines, trailersOf, type UnderscoreRule } from "./field-lines.ts";
import { Http1Error, quote } from "./http1-error.ts";
import type { Section } from "./section-reader.ts";

/**
 * Fields that must not come after the content: they say how the message is framed, where it goes or who sends it,
 * and all of that was decided before (RFC 9110 section 6.5.1). The rest is kept apart from the head's fields and never merged
 * into them.
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
  ..."content-length transfer-encoding connection keep-alive proxy-connection upgrade te trailer host".split(" "),
  ..."authorization proxy-authorization proxy-authenticate www-authenticate cookie set-cookie forwarded".split(" "),
]);

export const readTrailers = (section: Section, underscores: UnderscoreRule): readonly Field[] => {
  checkFieldLines(section, 0, underscores, undefined);
  const fields = trailersOf(section.text);
  for (const { name } of fields) checkTrailerName(name);
  return fields;
};

/** Whether a field may stand in trailers of HTTP/1. HTTP/2 lets more pass. */
export const isTrailerName = (name: string): boolean => !FORBIDDEN.has(name.toLowerCase());

export const checkTrailerName = (name: string): void => {
  if (!isTrailerName(name))
    throw new Http1Error("forbidden-trailer", `${quote(name)} in the trailers (RFC 9110 section 6.5.1)`);
};
