import { isNamed } from "#wire/http1/characters.ts";
import type { Ours, OurRequest, Theirs } from "./http1-understood.ts";

/** Where a peer parts from us. */
export interface Parting {
  /** Our reading of the request at which it does. */
  readonly our: OurRequest;
  readonly index: number;
  readonly ours: Ours;
  readonly theirs: Theirs;
}

/** What a peer refuses or reads in another way than we do, on purpose. */
export interface Explanation {
  readonly peers: readonly string[];
  readonly covers: (parting: Parting) => boolean;
  readonly why: string;
}

const has = ({ head }: OurRequest, name: string): boolean => head.fields.some((each) => isNamed(each.name, name));
const valueOf = ({ head }: OurRequest, name: string): string =>
  head.fields.find((each) => isNamed(each.name, name))?.value ?? "";

export const EXPLANATIONS: readonly Explanation[] = [
  {
    peers: ["node:http"],
    covers: ({ index, ours }) => ours.requests.slice(0, index).some((earlier) => has(earlier, "upgrade")),
    why: "Node reads no further request after one with Upgrade; RFC 9110 section 7.8 lets a server ignore the offer",
  },
  {
    peers: ["nginx", "Apache httpd"],
    covers: ({ our }) => our.target === "*",
    why: "OPTIONS * is answered by the server itself, or not at all; here it goes to the upstream",
  },
  {
    peers: ["Apache httpd"],
    covers: ({ our }) => valueOf(our, "host").endsWith(":"),
    why: "an empty port in Host is refused; RFC 3986 section 3.2.3 allows it",
  },
  {
    peers: ["nginx"],
    covers: ({ index, ours }) =>
      ours.requests.slice(0, index).some((earlier) => /close/i.test(valueOf(earlier, "connection"))),
    why: "nginx closes after `close` anywhere in Connection, also inside of another option",
  },
  {
    peers: ["haproxy"],
    covers: ({ our }) => our.head.version === "1.0" && our.contentBytes > 0 && /^(?:GET|HEAD|DELETE)$/.test(our.method),
    why: "haproxy refuses content of GET, HEAD and DELETE in HTTP/1.0, which old servers pass over; here it goes on as HTTP/1.1, framed",
  },
  {
    peers: ["haproxy"],
    covers: ({ our }) => /^https?:\/\/[^/]*\?/i.test(our.head.target),
    why: "haproxy takes a query without a path before it for a part of the authority (RFC 3986 section 3.2 ends it there)",
  },
  {
    peers: ["haproxy"],
    covers: ({ our }) => /websocket/i.test(valueOf(our, "upgrade")) && !has(our, "sec-websocket-key"),
    why: "haproxy refuses a WebSocket handshake that cannot succeed; here the upstream does",
  },
  {
    peers: ["Apache httpd"],
    covers: ({ our }) => /(?:^|\.)(?:-|[0-9]+[^0-9.:])[^.:]*\.?(?::[0-9]*)?$/.test(valueOf(our, "host")),
    why: "a last label that begins with a digit or a hyphen is refused in Host; it can be no number, so no parser reads an address",
  },
  {
    peers: ["Apache httpd"],
    covers: ({ our, index, theirs: { requests } }) =>
      our.target.startsWith("//") && requests[index]?.contentBytes === our.contentBytes,
    why: "mod_proxy makes one slash of those at the beginning of a path; here the path goes on as it came",
  },
  {
    peers: ["nginx"],
    covers: ({ our }) => /^[^:\r]+:[ \t]*\t|\t[ \t]*\r$/m.test(Buffer.from(our.head.raw).toString("latin1")),
    why: "nginx takes spaces off a value, but no tabs (RFC 9110 section 5.5 allows both), and refuses Host and Content-Length then",
  },
  {
    peers: ["Apache httpd"],
    covers: ({ index, ours }) =>
      ours.requests
        .slice(0, index)
        .some((earlier) => /(?:^|,)[ \t]*(?:c|cl|clo|clos)[ \t]*(?:,|$)/i.test(valueOf(earlier, "connection"))),
    why: "Apache closes after a connection option that is a beginning of `close`",
  },
  {
    peers: ["Apache httpd"],
    covers: ({ our, index, theirs: { requests } }) =>
      our.head.parsedTarget.kind === "absolute" &&
      requests[index]?.method === our.method &&
      requests[index].contentBytes === our.contentBytes,
    why: "mod_proxy writes the path of a target in absolute-form anew, percent-encoded; here it goes on as it came",
  },
  {
    peers: ["node:http"],
    covers: ({ our }) => /^transfer-encoding:.*\t[ \t]*\r$/im.test(Buffer.from(our.head.raw).toString("latin1")),
    why: "Node takes no tab off the end of Transfer-Encoding (RFC 9110 section 5.5 allows it); here the head goes on without it",
  },
];
