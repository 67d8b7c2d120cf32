import type { Field } from "../field.ts";
import { ERROR_CODE } from "./error-code.ts";
import { Http2StreamError } from "./http2-error.ts";
import { checkTrailers, readResponseHead, type RequestHead, type ResponseHead } from "./message-rules.ts";
import type { StreamRecord } from "./stream.ts";

/** How far the message is that a stream receives (RFC 9113 section 8.1). */
export interface InboundMessage {
  /** Whether the head is there; of a response, the final one. */
  hasHead: boolean;
  /** Informational heads that came before it. */
  informational: number;
  /** After CONNECT was accepted DATA is no content, and nothing but DATA may come (section 8.5). */
  isTunnel: boolean;
  /** How many bytes of content must come, where that is known. */
  contentLength: number | undefined;
  /** Bytes of content that came. */
  received: number;
}

/** Nobody needs more before the final response; each is worth a call and, in a proxy, a frame of ours. */
const MAX_INFORMATIONAL = 32;

/** @throws Http2StreamError */
export const receiveRequest = ({ id, inbound }: StreamRecord, head: RequestHead, endStream: boolean): void => {
  if (endStream && head.contentLength) throw malformed(id, "content-length without DATA");
  inbound.hasHead = true;
  inbound.isTunnel = head.method === "CONNECT";
  inbound.contentLength = head.contentLength;
};

/** An informational head, or the final one. @throws Http2StreamError */
export const receiveResponse = (
  { id, method, inbound }: StreamRecord,
  section: readonly Field[],
  endStream: boolean,
): ResponseHead => {
  const head = readResponseHead(section);
  if ("malformed" in head) throw malformed(id, head.malformed);
  const { status } = head;
  if (status < 200) {
    if (endStream) throw malformed(id, "an informational response that ends the stream");
    if (++inbound.informational <= MAX_INFORMATIONAL) return head;
    throw new Http2StreamError(
      id,
      ERROR_CODE.enhanceYourCalm,
      `more than ${MAX_INFORMATIONAL} informational responses`,
    );
  }
  inbound.hasHead = true;
  inbound.isTunnel = method === "CONNECT" && status < 300;
  // Where there never is content, content-length speaks of what another request would bring (RFC 9110 section 8.6).
  if (method === "HEAD" || status === 204 || status === 304) inbound.contentLength = 0;
  else if (!inbound.isTunnel) inbound.contentLength = head.contentLength;
  return head;
};

/** @throws Http2StreamError */
export const receiveTrailers = ({ id, inbound }: StreamRecord, section: readonly Field[], endStream: boolean): void => {
  if (inbound.isTunnel) throw malformed(id, "HEADERS within a tunnel");
  if (!endStream) throw malformed(id, "trailers that do not end the stream");
  const problem = checkTrailers(section);
  if (problem) throw malformed(id, problem);
};

/** @throws Http2StreamError */
export const receiveContent = ({ id, inbound }: StreamRecord, bytes: number): void => {
  inbound.received += bytes;
  if (inbound.contentLength === undefined || inbound.received <= inbound.contentLength) return;
  throw malformed(id, "more DATA than content-length");
};

/** The peer says that the message is complete. @throws Http2StreamError if it is not */
export const receiveEnd = ({ id, inbound }: StreamRecord): void => {
  if (!inbound.hasHead) throw malformed(id, "an end before the head");
  if (inbound.contentLength === undefined || inbound.received === inbound.contentLength) return;
  throw malformed(id, "DATA and content-length differ");
};

/** Whether the head says how much content there is, and all of that came. */
export const hasWholeContent = ({ inbound }: StreamRecord): boolean =>
  inbound.hasHead && inbound.contentLength !== undefined && inbound.received === inbound.contentLength;

/** @returns the error of a stream whose message breaks a rule */
export const malformed = (streamId: number, message: string): Http2StreamError =>
  new Http2StreamError(streamId, ERROR_CODE.protocolError, message);
