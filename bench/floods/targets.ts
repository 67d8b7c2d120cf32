import { data, headers, type Pairs } from "#wire/http2/testing/raw-frames.ts";

/** Who is flooded: the connection that reads requests, or the one that carries tunnels. */
export const TARGETS = ["http2", "tunnel"] as const;
export type TargetKind = (typeof TARGETS)[number];

/** What applications do: a tunnel is asked for by the port of one; a request names it in its path, with the port. */
export const APPLICATIONS = ["echo", "read", "held", "large"] as const;
export type Application = (typeof APPLICATIONS)[number];
export type Ports = Readonly<Record<Application, number>>;

/** How a target is asked for something. */
export interface Target {
  readonly kind: TargetKind;
  /** Streams that it allows at a time. */
  readonly streams: number;
  /** CONTINUATION frames of a block that it takes. */
  readonly continuations: number;
  /** Decoded bytes of a field section that it takes. */
  readonly sectionBytes: number;
  readonly request: (application: Application) => Pairs;
}

export const target = (kind: TargetKind, ports: Ports): Target =>
  kind === "http2"
    ? {
        kind,
        streams: 100,
        continuations: 8,
        sectionBytes: 32 * 1024,
        request: (application) => [
          [":method", "POST"],
          [":scheme", "http"],
          [":authority", "shop"],
          [":path", `/${application}/${ports[application]}`],
        ],
      }
    : {
        kind,
        streams: 200,
        continuations: 4,
        sectionBytes: 16 * 1024,
        request: (application) => [
          [":method", "CONNECT"],
          [":authority", `127.0.0.1:${ports[application]}`],
        ],
      };

/** What the well-behaved client asks for, and how long the answer is: a request in HTTP/2, some bytes to and fro in a tunnel. */
export const question = ({ kind, request }: Target, index: number): Buffer => {
  if (kind === "http2") return Buffer.from(headers(2 * index + 1, request("echo"), true));
  return Buffer.concat([...(index === 0 ? [headers(1, request("echo"))] : []), data(1, QUESTION_BYTES)]);
};

export const QUESTION_BYTES = 100;
