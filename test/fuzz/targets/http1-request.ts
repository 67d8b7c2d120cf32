import { HTTP1_WORDS } from "#test/conformance/http1-words.ts";
import { endToEndFields } from "#wire/http1/hop-by-hop.ts";
import { Http1Error } from "#wire/http1/http1-error.ts";
import { RequestReader } from "#wire/http1/request-reader.ts";
import { RequestWriter } from "#wire/http1/request-writer.ts";
import { type Recorded, recordRequests, textOf } from "#wire/http1/testing/record.ts";
import { BrokenInvariant, type FuzzTarget, mustEqual, pieces } from "../target.ts";

/** Cut or whole, the bytes mean the same; and what is forwarded means what was read (facts: section 1, rule 3). */
export const http1Request: FuzzTarget = {
  name: "http1-request",
  dictionary: HTTP1_WORDS,
  script: "/wire/http1/",
  run: (input) => {
    const whole = recordRequests([Uint8Array.from(input)], { closes: true });
    mustEqual("the same in pieces", recordRequests(pieces(input), { closes: true }), whole);
    const read = whole.slice(0, whole.findLastIndex(({ kind }) => kind === "end") + 1);
    const sent = forwarded(input);
    const again = recordRequests([Buffer.from(sent, "latin1")], { closes: false });
    if (again.at(-1)?.kind === "error") throw new BrokenInvariant("what is forwarded is valid", sent, again.at(-1));
    mustEqual("what is forwarded is what was read", again.slice(0, read.length).map(meaning), read.map(meaning));
    const strange = again.find((each) => each.kind === "request" && ownForm(each) !== undefined);
    if (strange !== undefined) throw new BrokenInvariant("what is forwarded has our own form", sent, strange);
  },
};

const forwarded = (input: Uint8Array): string => {
  let text = "";
  const writer = new RequestWriter((bytes) => (text += textOf(bytes)));
  let writing = false;
  const reader = new RequestReader({
    onHead: (head) => write(() => writer.forwardHead(head, head.upgrade)),
    onData: (data) => write(() => writer.writeData(data)),
    onEnd: (trailers) => write(() => writer.writeEnd(trailers)),
  });
  /** An error of the writer's is none of the peer's: it must not hide among those. */
  const write = (call: () => void): void => {
    writing = true;
    call();
    writing = false;
  };
  try {
    for (let rest = input; rest.length > 0;) {
      const taken = reader.read(rest);
      rest = rest.subarray(taken);
      if (taken === 0) reader.declineSwitch();
    }
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
    if (writing) throw new BrokenInvariant("what was read can be written", error.message, textOf(input));
  }
  return text;
};

/** A connection's fields are said anew by each hop. */
const ownForm = (each: Recorded & { readonly kind: "request" }): string | undefined =>
  each.head.rebuild === "hop-by-hop" ? undefined : each.head.rebuild;

const meaning = (each: Recorded): unknown => {
  if (each.kind !== "request") return each;
  const { method, version, parsedTarget: target, authority, framing, fields, upgrade, expectsContinue } = each.head;
  const path = target.kind === "origin" || target.kind === "absolute" ? target.path : target.kind;
  const own = version === "1.0" ? /^(?:host|content-length|te|expect)$/i : /^(?:host|content-length|te)$/i;
  const kept = endToEndFields(fields).filter(({ name }) => !own.test(name));
  return { method, path, host: authority?.host, framing, upgrade, expectsContinue, fields: kept };
};
