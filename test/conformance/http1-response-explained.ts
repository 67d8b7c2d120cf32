import type { AwaitedResponse } from "#wire/http1/parse-response-head.ts";
import type { OurResponse, Theirs } from "./http1-response-understood.ts";

/** An answer that we read to its end, and a peer does not, or reads as another. */
export interface ResponseParting {
  readonly awaited: AwaitedResponse;
  readonly ours: OurResponse;
  readonly theirs: Theirs;
}

/** What a peer refuses or reads in another way than we do, on purpose. */
export interface ResponseExplanation {
  readonly peers: readonly string[];
  readonly covers: (parting: ResponseParting) => boolean;
  readonly why: string;
}

export const RESPONSE_EXPLANATIONS: readonly ResponseExplanation[] = [
  {
    peers: ["node:http"],
    covers: ({ awaited, ours: { response } }) => awaited.method === "CONNECT" && (response?.status ?? 0) >= 300,
    why: "Node hands the connection over after any answer to CONNECT; only 2xx opens a tunnel (RFC 9110 section 9.3.6)",
  },
  {
    peers: ["node:http"],
    covers: ({ ours }) => hasTabAfter("transfer-encoding", ours),
    why: "Node takes no tab off the end of Transfer-Encoding (RFC 9110 section 5.5 allows it); here the head goes on without it",
  },
  {
    peers: ["node:http"],
    covers: ({ ours, theirs }) => theirs === "refused" && ours.informational.some((head) => !head.isPersistent),
    why: "Node reads nothing after 1xx with Connection: close; the final answer is that after which a server closes (RFC 9112 section 9.6)",
  },
  {
    peers: ["nginx"],
    covers: ({ ours }) => hasTabAfter("content-length", ours),
    why: "nginx takes no tab off the end of Content-Length (RFC 9110 section 5.5 allows it); here the head goes on without it",
  },
];

const hasTabAfter = (name: string, { response }: OurResponse): boolean =>
  response !== undefined &&
  new RegExp(`^${name}:.*\\t[ \\t]*\\r$`, "im").test(Buffer.from(response.head.raw).toString("latin1"));

/** Whose reading of an answer cannot be seen: nginx takes 1xx for the final answer, and all that follows for its content. */
export const isBlind = (peer: string, { informational }: OurResponse): boolean =>
  peer === "nginx" && informational.length > 0;
