import { HTTP1_WORDS } from "#test/conformance/http1-words.ts";
import { endToEndFields } from "#wire/http1/hop-by-hop.ts";
import { Http1Error } from "#wire/http1/http1-error.ts";
import type { AwaitedResponse } from "#wire/http1/parse-response-head.ts";
import { ResponseReader } from "#wire/http1/response-reader.ts";
import { ResponseWriter } from "#wire/http1/response-writer.ts";
import { type Recorded, recordResponse, textOf } from "#wire/http1/testing/record.ts";
import { BrokenInvariant, type FuzzTarget, mustEqual, pieces, words } from "../target.ts";

const AWAITED: readonly AwaitedResponse[] = [
  { method: "GET", upgrade: [] },
  { method: "HEAD", upgrade: [] },
  { method: "CONNECT", upgrade: [] },
  { method: "GET", upgrade: ["websocket"] },
];

/** The first byte says which request is answered; the rest is the answer, then the server closes. */
export const http1Response: FuzzTarget = {
  name: "http1-response",
  dictionary: [
    ...HTTP1_WORDS,
    ...words(
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 101 S\r\n",
      "HTTP/1.1 204 N\r\n",
      "HTTP/1.1 304 N\r\n",
    ),
  ],
  script: "/wire/http1/",
  run: (input) => {
    const awaited = AWAITED[(input[0] ?? 0) % AWAITED.length] as AwaitedResponse;
    const bytes = input.subarray(1);
    const whole = recordResponse([Uint8Array.from(bytes)], { awaited, closes: true });
    mustEqual("the same in pieces", recordResponse(pieces(bytes), { awaited, closes: true }), whole);
    const { sent, isWhole } = forwarded(bytes, awaited);
    if (!isWhole) return;
    const again = recordResponse([Buffer.from(sent, "latin1")], { awaited, closes: true });
    mustEqual("what is forwarded is what was read", again.map(meaning), whole.map(meaning));
  },
};

const forwarded = (
  bytes: Uint8Array,
  awaited: AwaitedResponse,
): { readonly sent: string; readonly isWhole: boolean } => {
  let sent = "";
  const writer = new ResponseWriter((part) => (sent += textOf(part)));
  writer.answer({ method: awaited.method, version: "1.1", isPersistent: true });
  let writing = false;
  const write = (call: () => void): void => {
    writing = true;
    call();
    writing = false;
  };
  const reader = new ResponseReader({
    onInformational: (head) => write(() => writer.forwardHead(head)),
    onHead: (head) => write(() => writer.forwardHead(head)),
    onData: (data) => write(() => writer.writeData(data)),
    onEnd: (trailers) => write(() => writer.writeEnd(trailers)),
  });
  reader.await(awaited);
  try {
    let rest = bytes;
    while (rest.length > 0 && !writer.isTunnel) rest = rest.subarray(reader.read(rest));
    if (writer.isTunnel) sent += textOf(rest);
    reader.readEnd();
    return { sent, isWhole: true };
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
    if (writing) throw new BrokenInvariant("what was read can be written", error.message, textOf(bytes));
    return { sent, isWhole: false };
  }
};

const meaning = (each: Recorded): unknown => {
  if (each.kind !== "response" && each.kind !== "informational") return each;
  const { status, framing, fields } = each.head;
  // Content that ends with the connection goes on in chunks: its end is told then.
  const kind = framing.kind === "until-close" ? "chunked" : framing.kind;
  return { status, kind, fields: endToEndFields(fields).filter(({ name }) => !/^(?:content-length|te)$/i.test(name)) };
};
