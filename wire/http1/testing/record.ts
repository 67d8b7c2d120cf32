import { Http1Error, type Http1Reason } from "../http1-error.ts";
import type { Http1Limits } from "../http1-limits.ts";
import type { ReceivedRequestHead, ReceivedResponseHead } from "../head.ts";
import type { AwaitedResponse } from "../parse-response-head.ts";
import { RequestReader } from "../request-reader.ts";
import type { RequestRules } from "../request-rules.ts";
import { ResponseReader } from "../response-reader.ts";

/** What a reader said, in a form that does not depend on how the bytes were cut. */
export type Recorded =
  | { readonly kind: "request"; readonly head: ReceivedRequestHead; readonly raw: string }
  | { readonly kind: "response" | "informational"; readonly head: ReceivedResponseHead; readonly raw: string }
  /** Pieces that follow each other are one. */
  | { readonly kind: "data"; readonly text: string }
  | { readonly kind: "end"; readonly trailers: readonly (readonly [string, string])[] }
  /** Bytes that are not HTTP/1 any more. */
  | { readonly kind: "rest"; readonly text: string }
  | { readonly kind: "error"; readonly reason: Http1Reason; readonly status: number; readonly message: string };

export interface RequestOptions {
  readonly rules?: RequestRules;
  readonly limits?: Http1Limits;
  /** The answer to every CONNECT and offered upgrade. */
  readonly answer?: "decline" | "switch";
  readonly closes?: boolean;
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** Each piece is a copy of its own, so that a view which is kept too long shows. */
export const cut = (text: string, at: readonly number[]): readonly Uint8Array[] => {
  const edges = [...new Set([0, ...at.filter((edge) => edge < text.length), text.length])].sort((a, b) => a - b);
  return edges.slice(1).map((edge, i) => bytesOf(text.slice(edges[i], edge)));
};

export const cutEverywhere = (text: string): readonly Uint8Array[] =>
  cut(
    text,
    Array.from(text, (_, i) => i),
  );

export const recordRequests = (pieces: readonly Uint8Array[], options: RequestOptions = {}): readonly Recorded[] => {
  const recorded: Recorded[] = [];
  const reader = new RequestReader(
    {
      onHead: (head) => recorded.push({ kind: "request", head, raw: "" }),
      onData: (data) => addText(recorded, "data", data),
      onEnd: (trailers) => recorded.push(endOf(trailers)),
    },
    options.rules,
    options.limits,
  );
  const resume = (): boolean => {
    if (options.answer === "switch") return false;
    reader.declineSwitch();
    return true;
  };
  return record(recorded, reader, pieces, resume, options.closes ?? false);
};

export interface ResponseOptions {
  readonly awaited?: AwaitedResponse;
  readonly limits?: Http1Limits;
  readonly closes?: boolean;
}

/** Awaits one response. */
export const recordResponse = (pieces: readonly Uint8Array[], options: ResponseOptions = {}): readonly Recorded[] => {
  const recorded: Recorded[] = [];
  const reader = new ResponseReader(
    {
      onInformational: (head) => recorded.push({ kind: "informational", head, raw: "" }),
      onHead: (head) => recorded.push({ kind: "response", head, raw: "" }),
      onData: (data) => addText(recorded, "data", data),
      onEnd: (trailers) => recorded.push(endOf(trailers)),
    },
    options.limits,
  );
  reader.await(options.awaited ?? { method: "GET", upgrade: [] });
  return record(recorded, reader, pieces, () => false, options.closes ?? false);
};

interface Reader {
  read(bytes: Uint8Array): number;
  readEnd(): void;
}

const record = (
  recorded: Recorded[],
  reader: Reader,
  pieces: readonly Uint8Array[],
  resume: () => boolean,
  closes: boolean,
): readonly Recorded[] => {
  try {
    for (const piece of pieces) {
      let rest = piece;
      while (rest.length > 0) {
        const taken = reader.read(rest);
        rest = rest.subarray(taken);
        if (taken === 0 && !resume()) {
          addText(recorded, "rest", rest);
          break;
        }
      }
      // What was given to the reader is given to somebody else afterwards.
      piece.fill(0x2a);
    }
    if (closes) reader.readEnd();
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
    const { reason, status, message } = error;
    recorded.push({ kind: "error", reason, status, message });
  }
  return recorded.map(asText);
};

const addText = (recorded: Recorded[], kind: "data" | "rest", bytes: Uint8Array): void => {
  const last = recorded.at(-1);
  if (last?.kind === kind) recorded[recorded.length - 1] = { kind, text: last.text + textOf(bytes) };
  else recorded.push({ kind, text: textOf(bytes) });
};

const endOf = (trailers: readonly { readonly name: string; readonly value: string }[]): Recorded => ({
  kind: "end",
  trailers: trailers.map(({ name, value }) => [name, value] as const),
});

/** Everything of a head is asked for when the bytes it came in are gone. `raw` is compared as text. */
const asText = (each: Recorded): Recorded => {
  if (each.kind === "request") {
    const { head } = each;
    return { ...each, head: { ...head, fields: head.fields, raw: NOTHING }, raw: textOf(head.raw) };
  }
  if (each.kind === "response" || each.kind === "informational") {
    const { head } = each;
    return {
      ...each,
      head: { ...head, reason: head.reason, fields: head.fields, raw: NOTHING },
      raw: textOf(head.raw),
    };
  }
  return each;
};

const NOTHING = new Uint8Array(0);
