import { once } from "node:events";
import { connect } from "node:net";
import { Http1Error, type Http1Reason } from "#wire/http1/http1-error.ts";
import type { ReceivedRequestHead } from "#wire/http1/head.ts";
import { RequestReader } from "#wire/http1/request-reader.ts";
import { ECHO_FIELD, type Peer } from "./http1-peers.ts";

/** A complete request as somebody understood it. */
export interface UnderstoodRequest {
  readonly method: string;
  readonly target: string;
  readonly contentBytes: number;
}

export interface OurRequest extends UnderstoodRequest {
  readonly head: ReceivedRequestHead;
}

/** What our parser makes of the bytes of a connection that then ends. */
export interface Ours {
  readonly requests: readonly OurRequest[];
  readonly refusal: Http1Reason | undefined;
  /** Up to the end of the last complete request. */
  readonly acceptedBytes: number;
}

export const understoodByUs = (bytes: Uint8Array): Ours => {
  const requests: OurRequest[] = [];
  let acceptedBytes = 0;
  let begun: { readonly head: ReceivedRequestHead; bytes: number } | undefined;
  const reader = new RequestReader({
    onHead: (head) => (begun = { head, bytes: 0 }),
    onData: (data) => {
      if (begun !== undefined) begun.bytes += data.length;
    },
    onEnd: () => {
      if (begun === undefined) return;
      const { head, bytes: contentBytes } = begun;
      const target = head.parsedTarget.kind === "absolute" ? head.parsedTarget.path : head.target;
      requests.push({ method: head.method, target, contentBytes, head });
      begun = undefined;
    },
  });
  try {
    let at = 0;
    while (at < bytes.length) {
      const before = requests.length;
      const taken = reader.read(bytes.subarray(at));
      at += taken;
      if (requests.length > before) acceptedBytes = at;
      if (taken === 0) reader.declineSwitch();
    }
    reader.readEnd();
    return { requests, refusal: undefined, acceptedBytes };
  } catch (error) {
    if (error instanceof Http1Error) return { requests, refusal: error.reason, acceptedBytes };
    throw error;
  }
};

/** What a peer made of them: the requests that reached the backend complete, in the order of their answers, and all statuses. */
export interface Theirs {
  readonly requests: readonly UnderstoodRequest[];
  readonly statuses: readonly number[];
  /** It neither answered nor closed in time: nothing is known. */
  readonly isUndecided: boolean;
}

/** Longer than every timeout that the peers have. */
const GIVE_UP_MS = 10_000;

/** Nothing came for so long: no answer is on its way. */
const QUIET_MS = 300;

/**
 * Sends the bytes and then an end, and takes what is answered until the peer closes.
 * @param endsLate the end is sent only when no more answers come: some peers leave requests unanswered when they see it
 */
export const understoodBy = async (peer: Peer, bytes: Uint8Array, endsLate = false): Promise<Theirs> => {
  const socket = connect({ port: peer.port, host: "127.0.0.1", allowHalfOpen: true });
  const parts: Buffer[] = [];
  let isUndecided = false;
  const quiet = setTimeout(() => socket.end(), QUIET_MS);
  socket.on("data", (part: Buffer) => {
    parts.push(part);
    if (endsLate) quiet.refresh();
  });
  socket.on("end", () => socket.destroy());
  // A reset after a refusal is as good as a close.
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  const timer = setTimeout(() => {
    isUndecided = true;
    socket.destroy();
  }, GIVE_UP_MS);
  if (endsLate) socket.write(bytes);
  else socket.end(bytes);
  await closed;
  clearTimeout(quiet);
  clearTimeout(timer);
  const text = Buffer.concat(parts).toString("latin1");
  const statuses = Array.from(text.matchAll(/^HTTP\/1\.[01] ([0-9]{3})/gm), ([, status]) => Number(status));
  const echoes = text.matchAll(new RegExp(`^${ECHO_FIELD}: (.*)\\r$`, "gim"));
  const requests = Array.from(echoes, ([, echo = ""]) => requestOf(echo));
  return { requests, statuses, isUndecided };
};

const requestOf = (echo: string): UnderstoodRequest => {
  const [method, target, contentBytes] = JSON.parse(echo) as [string, string, number];
  return { method, target: target.replace(/^https?:\/\/[^/?]*\/?/i, "/"), contentBytes };
};
