import { type Framing, hasContent, requestFraming, unusualFraming } from "./framing.ts";
import { checkFieldLines, fieldsOf } from "./field-lines.ts";
import type { ReceivedRequestHead, RebuildReason } from "./head.ts";
import { HeadFacts, isPersistent } from "./head-facts.ts";
import { Http1Error, quote } from "./http1-error.ts";
import { HTTP_1_1, type HttpVersion, parseHttpVersion } from "./http-version.ts";
import { checkMethod } from "./method.ts";
import { parseRequestTarget, requestAuthority, type RequestTarget } from "./request-target.ts";
import type { RequestRules } from "./request-rules.ts";
import type { Section } from "./section-reader.ts";
import { byLength, standsAt, wordAt } from "./word.ts";

/**
 *     request-line = method SP request-target SP HTTP-version          RFC 9112 section 3
 *
 * Exactly one space each, as its recipients SHOULD demand.
 */
export const parseRequestHead = (section: Section, rules: RequestRules): ReceivedRequestHead => {
  const { text, raw } = section;
  const lineEnd = section.lineEnds[0] as number;
  const afterMethod = text.indexOf(" ");
  const afterTarget = text.indexOf(" ", afterMethod + 1);
  if (afterMethod < 0 || afterTarget < 0 || afterTarget > lineEnd) throw badRequestLine(text.slice(0, lineEnd));
  const method = wordAt(raw, 0, afterMethod, USUAL_METHODS) ?? text.slice(0, afterMethod);
  const target = text.slice(afterMethod + 1, afterTarget);
  const version = versionOf(section, afterTarget + 1, lineEnd, method);
  checkMethod(method, rules.methods);
  if (method === "CONNECT" && rules.connect === "reject")
    throw new Http1Error("connect-not-allowed", "CONNECT is not allowed on this listener");
  const parsedTarget = parseRequestTarget(method, target);

  const facts = new HeadFacts();
  const isRegular = checkFieldLines(section, 1, rules.underscores, facts);
  if (facts.host === undefined && (version === "1.1" || rules.hostlessHttp10 === "reject"))
    throw new Http1Error("missing-host", "no Host (RFC 9112 section 3.2)");
  const authority = requestAuthority(parsedTarget, facts.host);
  const framing = requestFraming(facts, method, version);
  return {
    method,
    target,
    version,
    fields: fieldsOf(text),
    framing,
    raw,
    rebuild: rebuildReason(version, parsedTarget, framing, facts, isRegular),
    isPersistent: isPersistent(facts, version),
    parsedTarget,
    authority,
    upgrade: offeredProtocols(facts, version, hasContent(framing)),
    expectsContinue: expectsContinue(facts, version) && hasContent(framing),
  };
};

/** Of which no string is made, nor hashed, for each request. */
const USUAL_METHODS = byLength(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);

const versionOf = ({ raw, text }: Section, from: number, to: number, method: string): HttpVersion => {
  if (to - from === HTTP_1_1.text.length && standsAt(raw, from, HTTP_1_1)) return "1.1";
  const versionText = text.slice(from, to);
  if (versionText.includes(" ")) throw badRequestLine(text.slice(0, to));
  if (method === "PRI" && versionText === "HTTP/2.0")
    throw new Http1Error("http2-preface", "the HTTP/2 preface on a connection where HTTP/1 is spoken");
  return parseHttpVersion(versionText);
};

const NO_PROTOCOLS: readonly string[] = [];

/**
 * A client that sends content and offers to switch cannot know as what its content will be read: no switch then. h2c was
 * taken back (RFC 9113 section 3.1) and served to smuggle requests past proxies.
 */
const offeredProtocols = (facts: HeadFacts, version: HttpVersion, hasContent: boolean): readonly string[] => {
  if (facts.upgrade.length === 0 || version === "1.0" || hasContent || !facts.connection.includes("upgrade"))
    return NO_PROTOCOLS;
  return facts.upgrade.filter((protocol) => protocol.toLowerCase() !== "h2c");
};

const expectsContinue = (facts: HeadFacts, version: HttpVersion): boolean => {
  // A 1.0 client cannot mean it (RFC 9110 section 10.1.1).
  if (facts.expect === undefined || version === "1.0") return false;
  if (facts.expect.toLowerCase() === "100-continue") return true;
  throw new Http1Error("unknown-expectation", `Expect ${quote(facts.expect)} cannot be met (RFC 9110 section 10.1.1)`);
};

const rebuildReason = (
  version: HttpVersion,
  target: RequestTarget,
  framing: Framing,
  facts: HeadFacts,
  isRegular: boolean,
): RebuildReason | undefined => {
  if (version !== "1.1") return "version";
  if (target.kind === "absolute") return "target-form";
  if (facts.hasHopByHop) return "hop-by-hop";
  if (!isRegular) return "white-space";
  return unusualFraming(framing, facts);
};

const badRequestLine = (line: string): Http1Error =>
  new Http1Error("bad-request-line", `${quote(line)} is not "method target HTTP/1.1" (RFC 9112 section 3)`);
