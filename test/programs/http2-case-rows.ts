import type { Field } from "#wire/field.ts";
import { FLAG, FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { HpackDecoder } from "#wire/http2/hpack/hpack-decoder.ts";
import { CONNECT_CASES } from "#wire/http2/testing/connect-cases.ts";
import { FIELD_BLOCK_CASES } from "#wire/http2/testing/field-block-cases.ts";
import { FRAME_CASES } from "#wire/http2/testing/frame-cases.ts";
import { type Case, MALFORMED } from "#wire/http2/testing/h2-case.ts";
import { type SentFrame, splitFrames } from "#wire/http2/testing/raw-frames.ts";
import { REQUEST_CASES } from "#wire/http2/testing/request-cases.ts";
import { RESPONSE_CASES } from "#wire/http2/testing/response-cases.ts";

/** A row of the tables of wire/http2/testing, with a port on which nothing but this row ever comes. */
type Row<One extends Case> = One & { readonly port: number; readonly title: string };

const numbered = <One extends Case>(cases: readonly One[], first: number): readonly Row<One>[] =>
  cases.map((one, index) => ({ ...one, port: first + index, title: `${one.id} ${one.what}` }));

/** There are no tunnels for pods. */
const refusedConnect = (row: Case): Case => {
  if (row.what === "extended CONNECT") return { ...row, ...MALFORMED };
  if (row.calls?.[0]?.startsWith("request 1 CONNECT") !== true) return row;
  return { ...row, calls: [], answer: ["HEADERS 1 END_STREAM 405", "RST_STREAM 1 code 0"] };
};

/** What a client may send. */
export const REQUEST_ROWS = numbered(
  [...FRAME_CASES, ...FIELD_BLOCK_CASES, ...REQUEST_CASES, ...CONNECT_CASES.map(refusedConnect)],
  9000,
);
/** What a server may answer. */
export const RESPONSE_ROWS = numbered(RESPONSE_CASES, 9200);
/** Takes whatever comes. */
export const FLOOD_PORT = 9300;
/** HTTP/1: answers with what came since it was last asked, as JSON. */
export const SEEN_PORT = 9301;

export const HTTP2_PORTS = [
  ...REQUEST_ROWS.map(({ port }) => port),
  ...RESPONSE_ROWS.map(({ port }) => port),
  FLOOD_PORT,
];

/** A message as it arrived. */
export interface ArrivedRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  /** Without pseudo-fields. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** In latin1. */
  readonly content: string;
  readonly trailers: string;
  readonly isComplete: boolean;
}

/** What came to the applications, by their port. */
export interface Arrived {
  readonly requests: Readonly<Record<number, readonly ArrivedRequest[]>>;
  /** RST_STREAM and GOAWAY. */
  readonly frames: Readonly<Record<number, readonly string[]>>;
}

/** Frames of a peer whose bytes come in pieces. @returns those that have become whole */
export class FrameSplitter {
  #rest = Buffer.alloc(0);

  /** @param skipped bytes that come before the first frame */
  constructor(skipped = 0) {
    this.#skipped = skipped;
  }

  #skipped: number;

  add(bytes: Uint8Array): readonly SentFrame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const skipped = Math.min(this.#skipped, this.#rest.length);
    this.#skipped -= skipped;
    let end = skipped;
    while (this.#skipped === 0 && end + 9 <= this.#rest.length) {
      const next = end + 9 + this.#rest.readUIntBE(end, 3);
      if (next > this.#rest.length) break;
      end = next;
    }
    const whole = this.#rest.subarray(skipped, end);
    this.#rest = this.#rest.subarray(end);
    return splitFrames(whole);
  }
}

const UNLIMITED = { maxBytes: Infinity, maxFields: Infinity, maxFieldBytes: Infinity };

/** The field sections in frames, all of which are right. */
export const sectionsIn = (frames: readonly SentFrame[]): readonly (readonly Field[])[] => {
  const decoder = new HpackDecoder(4096);
  const sections: (readonly Field[])[] = [];
  let block: Uint8Array[] = [];
  for (const { type, flags, payload } of frames) {
    if (type !== FRAME_TYPE.headers && type !== FRAME_TYPE.continuation) continue;
    const isHeaders = type === FRAME_TYPE.headers;
    const padding = isHeaders && flags & FLAG.padded ? payload.readUInt8(0) : undefined;
    const begin = (padding === undefined ? 0 : 1) + (isHeaders && flags & FLAG.priority ? 5 : 0);
    block.push(payload.subarray(begin, payload.length - (padding ?? 0)));
    if ((flags & FLAG.endHeaders) === 0) continue;
    const section = decoder.decode(Buffer.concat(block), UNLIMITED);
    if (section.kind === "fields") sections.push(section.fields);
    block = [];
  }
  return sections;
};
