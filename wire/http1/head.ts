import type { Field } from "../field.ts";
import type { Authority } from "./authority.ts";
import type { Framing } from "./framing.ts";
import type { HttpVersion } from "./http-version.ts";
import type { RequestTarget } from "./request-target.ts";

/** A request as it is meant: what an encoder writes. */
export interface RequestHead {
  /** Case-sensitive. */
  readonly method: string;
  /** As it stands in the request line, in whatever form. */
  readonly target: string;
  /** What its sender speaks. We always write 1.1 (RFC 9110 section 2.5). */
  readonly version: HttpVersion;
  /** In the order, case and bytes in which they came. */
  readonly fields: readonly Field[];
  readonly framing: Framing;
}

/** A response as it is meant: what an encoder writes. */
export interface ResponseHead {
  /** 100 to 599. */
  readonly status: number;
  /** Latin1, for people only; may be empty. */
  readonly reason: string;
  readonly version: HttpVersion;
  readonly fields: readonly Field[];
  readonly framing: Framing;
}

/**
 * What a reader adds to a head. Changing a head makes a new {@link RequestHead} out of it, and these bytes are left behind. Fields
 * are made when they are asked for: a spread of the head has none.
 */
interface Received {
  /** The head as it came, with its empty line; a copy, which nobody writes to. */
  readonly raw: Uint8Array;
  /** Why {@link raw} must not be forwarded as it is; undefined when it may. */
  readonly rebuild: RebuildReason | undefined;
  /** Whether its sender lets another message follow on this connection (RFC 9112 section 9.3). */
  readonly isPersistent: boolean;
}

export interface ReceivedRequestHead extends RequestHead, Received {
  readonly parsedTarget: RequestTarget;
  /** To whom the request goes: for routing and policy. Undefined only in HTTP/1.0 without Host, where a listener allows that. */
  readonly authority: Authority | undefined;
  /** Protocols to which the client offers to switch; empty if it has content, and never with h2c (RFC 9113 section 3.1). */
  readonly upgrade: readonly string[];
  /** The client waits for 100 before it sends its content (RFC 9110 section 10.1.1). */
  readonly expectsContinue: boolean;
}

export interface ReceivedResponseHead extends ResponseHead, Received {
  /** Whether a field's name begins with "x", in whatever case: who looks for such fields need not have them made. */
  readonly hasX: boolean;
}

/** What stands in a head that means the same to us, but is not what we would write, or is meant for us alone. */
export type RebuildReason =
  | "version"
  | "target-form"
  | "white-space"
  | "reason-phrase"
  | "content-length"
  | "transfer-encoding"
  | "hop-by-hop"
  | "until-close";

/**
 * Whether the bytes of a head may go to the next hop as they came: they say this head in the one form in which we would write
 * it ourselves, so no two parsers can differ about it, and hold nothing that was meant for this hop alone.
 */
export const mayForwardRaw = (head: Received): boolean => head.rebuild === undefined;

export const field = (name: string, value: string): Field => ({ name, value, isNeverIndexed: false });
