import { isBodiless, responseFraming, unusualFraming } from "./framing.ts";
import { readFieldLines } from "./field-lines.ts";
import type { ReceivedResponseHead, RebuildReason } from "./head.ts";
import { headFacts, type HeadFacts, isPersistent } from "./head-facts.ts";
import { Http1Error, quote } from "./http1-error.ts";
import { parseHttpVersion } from "./http-version.ts";
import type { Section } from "./section-reader.ts";

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
  const { text, raw } = section;
  const line = text.slice(0, section.lineEnds[0]);
  const version = parseHttpVersion(line.slice(0, "HTTP/1.1".length));
  const status = Number(line.slice(9, 12));
  const isStatus = line[8] === " " && (line[12] === " " || line.length === 12);
  if (!isStatus || !/^[1-5][0-9][0-9]$/.test(line.slice(9, 12)))
    throw new Http1Error("bad-status-line", `${quote(line)} is not "HTTP/1.1 status reason" (RFC 9112 section 4)`);
  if (status < 200 && version === "1.0")
    throw new Http1Error("bad-status-line", `${quote(line)}: HTTP/1.0 has no 1xx (RFC 9110 section 15.2)`);

  const { fields, isRegular } = readFieldLines(section, 1, "accept");
  const facts = headFacts(fields);
  const framing = responseFraming(facts, status, awaited.method, version);
  if (status === 101) checkSwitch(facts, awaited);
  const head: ReceivedResponseHead = {
    status,
    reason: line.slice(13),
    version,
    fields,
    framing,
    raw,
    rebuild: undefined,
    isPersistent:
      isPersistent(facts, version) && framing.kind !== "until-close" && !announcesForbiddenContent(status, facts),
  };
  const rebuild = rebuildReason(head, facts, isRegular, line.length);
  return rebuild === undefined ? head : { ...head, rebuild };
};

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
  status === 204 && (facts.transferEncoding !== undefined || (facts.contentLength ?? "0") !== "0");

const rebuildReason = (
  head: ReceivedResponseHead,
  facts: HeadFacts,
  isRegular: boolean,
  lineLength: number,
): RebuildReason | undefined => {
  const { status, framing } = head;
  const { contentLength, transferEncoding } = facts;
  if (head.version !== "1.1") return "version";
  if (lineLength === 12) return "reason-phrase";
  if (facts.hasHopByHop) return "hop-by-hop";
  if (framing.kind === "until-close") return "until-close";
  if (!isRegular) return "white-space";
  if (transferEncoding !== undefined && framing.kind !== "chunked") return "transfer-encoding";
  if (contentLength === undefined || framing.kind === "length") return unusualFraming(framing, facts);
  // What is left is the length of content that is not sent.
  const mayTellLength = framing.kind === "none" && (status === 304 || !isBodiless(status));
  return mayTellLength && contentLength === String(Number(contentLength)) ? undefined : "content-length";
};
