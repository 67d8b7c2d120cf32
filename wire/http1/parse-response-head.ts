import type { Field } from "../field.ts";
import { SP } from "./characters.ts";
import { type Framing, isBodiless, responseFraming, unusualFraming } from "./framing.ts";
import { checkFieldLines, fieldsOf } from "./field-lines.ts";
import type { ReceivedResponseHead, RebuildReason } from "./head.ts";
import { HeadFacts, isPersistent } from "./head-facts.ts";
import { Http1Error, quote } from "./http1-error.ts";
import { HTTP_1_1, type HttpVersion, parseHttpVersion } from "./http-version.ts";
import type { Section } from "./section-reader.ts";
import { standsAt } from "./word.ts";

/** What a response answers: only this says where it ends (RFC 9112 section 6.3). */
export interface AwaitedResponse {
  readonly method: string;
  /** The protocols to which the request offered to switch; empty if none. */
  readonly upgrade: readonly string[];
}

/**
 *     status-line = HTTP-version SP status-code SP [ reason-phrase ]          RFC 9112 section 4
 *
 * Many servers leave out the second space with the reason; that alone is tolerated.
 */
export const parseResponseHead = (section: Section, awaited: AwaitedResponse): ReceivedResponseHead => {
  const { raw } = section;
  const lineEnd = section.lineEnds[0] as number;
  const version = standsAt(raw, 0, HTTP_1_1) ? "1.1" : parseHttpVersion(lineOf(section).slice(0, VERSION_BYTES));
  const status = statusAt(raw, VERSION_BYTES + 1);
  const isStatusLine = raw[VERSION_BYTES] === SP && (lineEnd === NO_REASON || raw[NO_REASON] === SP);
  if (!isStatusLine || status === undefined)
    throw new Http1Error(
      "bad-status-line",
      `${quote(lineOf(section))} is not "HTTP/1.1 status reason" (RFC 9112 section 4)`,
    );
  if (status < 200 && version === "1.0")
    throw new Http1Error("bad-status-line", `${quote(lineOf(section))}: HTTP/1.0 has no 1xx (RFC 9110 section 15.2)`);

  const facts = new HeadFacts();
  const isRegular = checkFieldLines(section, 1, "accept", facts);
  const framing = responseFraming(facts, status, awaited.method, version);
  if (status === 101) checkSwitch(facts, awaited);
  return new ParsedResponseHead(section, {
    status,
    version,
    framing,
    rebuild: rebuildReason(status, version, framing, facts, isRegular, lineEnd),
    isPersistent:
      isPersistent(facts, version) && framing.kind !== "until-close" && !announcesForbiddenContent(status, facts),
    hasX: facts.hasX,
  });
};

/** Its reason and fields are made of the text when they are asked for first: most responses go on as they came. */
class ParsedResponseHead implements ReceivedResponseHead {
  readonly status: number;
  readonly version: HttpVersion;
  readonly framing: Framing;
  readonly raw: Uint8Array;
  readonly rebuild: RebuildReason | undefined;
  readonly isPersistent: boolean;
  readonly hasX: boolean;
  readonly #section: Section;
  #fields: readonly Field[] | undefined;

  constructor(section: Section, head: Omit<ReceivedResponseHead, "reason" | "raw" | "fields">) {
    this.status = head.status;
    this.version = head.version;
    this.framing = head.framing;
    this.raw = section.raw;
    this.rebuild = head.rebuild;
    this.isPersistent = head.isPersistent;
    this.hasX = head.hasX;
    this.#section = section;
  }

  get reason(): string {
    const { text } = this.#section;
    return text.slice(NO_REASON + 1, text.indexOf("\r\n"));
  }

  get fields(): readonly Field[] {
    return (this.#fields ??= fieldsOf(this.#section.text));
  }
}

const VERSION_BYTES = HTTP_1_1.text.length;
/** How long the status line is without a reason and the space before it. */
const NO_REASON = 12;

const lineOf = ({ text, lineEnds }: Section): string => text.slice(0, lineEnds[0]);

/** `status-code = 3DIGIT`, and of these 100 to 599. */
const statusAt = (raw: Uint8Array, at: number): number | undefined => {
  const [hundreds, tens, ones] = [digitAt(raw, at), digitAt(raw, at + 1), digitAt(raw, at + 2)];
  return hundreds >= 1 && hundreds <= 5 && tens >= 0 && ones >= 0 ? hundreds * 100 + tens * 10 + ones : undefined;
};

/** -1: there is another character, or none. */
const digitAt = (raw: Uint8Array, at: number): number => {
  const digit = (raw[at] ?? 0) - ZERO;
  return digit >= 0 && digit <= 9 ? digit : -1;
};

const ZERO = 0x30;

/**
 * A switch that nobody asked for would make a tunnel out of the next client's connection (H1-29, H1-30). One without the
 * connection option is none to others: what follows it would be their next answer (RFC 9110 section 7.8).
 */
const checkSwitch = (facts: HeadFacts, awaited: AwaitedResponse): void => {
  if (!facts.connection.includes("upgrade"))
    throw new Http1Error("unasked-switch", "101 without Connection: upgrade (RFC 9110 section 7.8)");
  const asked = new Set(awaited.upgrade.map((protocol) => protocol.toLowerCase()));
  const isAsked = facts.upgrade.length > 0 && facts.upgrade.every((protocol) => asked.has(protocol.toLowerCase()));
  if (!isAsked)
    throw new Http1Error(
      "unasked-switch",
      `101 to ${quote(facts.upgrade.join(", "))}, but the request offered ${quote(awaited.upgrade.join(", "))} (RFC 9110 section 15.2.2)`,
    );
};

/** A 204 that says it has content may send some: its connection is not used again (RFC 9112 section 6.3). */
const announcesForbiddenContent = (status: number, facts: HeadFacts): boolean =>
  status === 204 && (facts.transferEncoding !== undefined || (facts.contentLength ?? 0) !== 0);

const rebuildReason = (
  status: number,
  version: HttpVersion,
  framing: Framing,
  facts: HeadFacts,
  isRegular: boolean,
  lineLength: number,
): RebuildReason | undefined => {
  const { contentLength, transferEncoding } = facts;
  if (version !== "1.1") return "version";
  if (lineLength === NO_REASON) return "reason-phrase";
  if (facts.hasHopByHop) return "hop-by-hop";
  if (framing.kind === "until-close") return "until-close";
  if (!isRegular) return "white-space";
  if (transferEncoding !== undefined && framing.kind !== "chunked") return "transfer-encoding";
  if (contentLength === undefined || framing.kind === "length") return unusualFraming(framing, facts);
  // What is left is the length of content that is not sent.
  const mayTellLength = framing.kind === "none" && (status === 304 || !isBodiless(status));
  return mayTellLength && typeof contentLength === "number" ? undefined : "content-length";
};
