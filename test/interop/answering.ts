import { createHash } from "node:crypto";
import type { RequestHead } from "#wire/http2/message-rules.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import { fields, valueOf } from "./http2-peers.ts";

/** Bytes that no shift by a frame or a window makes the same again. */
export const pattern = (length: number): Buffer => {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  bytes.fill(0x5a, length - (length % 4));
  return bytes;
};

export const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const OK = [":status", "200"] as const;

/**
 * What our server answers in the tests, by path.
 *
 *     /bytes/N     N bytes of the pattern
 *     /echo        what was sent, as it comes
 *     /digest      the SHA-256 of what was sent and its length, then its trailers, as text
 *     /saw         the fields of the request, one a line
 *     /trailers    "content" and a trailer
 *     /hints       103, then 200
 *     /fields/N    a head of N fields of 256 bytes each
 */
export const answering = (stream: Http2Stream, head: RequestHead): Partial<StreamHandler> => {
  const [, what = "", number] = (head.path ?? "").split("/");
  if (valueOf(head.section, "expect") === "100-continue") stream.sendHead(fields([[":status", "100"]]), false);
  switch (what) {
    case "echo":
      return echo(stream);
    case "digest":
      return digesting(stream);
    case "bytes":
      return atEnd(stream, () => {
        stream.sendHead(fields([OK, ["content-length", number ?? "0"]]), head.method === "HEAD");
        if (head.method !== "HEAD") finish(stream, pattern(Number(number)));
      });
    case "saw":
      return atEnd(stream, () => {
        stream.sendHead(fields([OK]), false);
        finish(stream, Buffer.from(head.section.map(({ name, value }) => `${name}: ${value}\n`).join("")));
      });
    case "trailers":
      return atEnd(stream, () => {
        stream.sendHead(fields([OK, ["trailer", "x-last"]]), false);
        stream.write(Buffer.from("content"));
        stream.end(fields([["x-last", "said"]]));
      });
    case "hints":
      return atEnd(stream, () => {
        stream.sendHead(
          fields([
            [":status", "103"],
            ["link", "</a>; rel=preload"],
          ]),
          false,
        );
        stream.sendHead(fields([OK]), false);
        finish(stream, Buffer.from("content"));
      });
    case "fields":
      return atEnd(stream, () => {
        const many = Array.from({ length: Number(number) }, (_, i) => [`x-${i}`, `${i}-`.padEnd(256, "v")] as const);
        stream.sendHead(fields([OK, ...many]), true);
      });
    default:
      return atEnd(stream, () => stream.sendHead(fields([[":status", "404"]]), true));
  }
};

const finish = (stream: Http2Stream, body: Uint8Array): void => {
  stream.write(body);
  stream.end();
};

const atEnd = (stream: Http2Stream, answer: () => void): Partial<StreamHandler> => ({
  data: ({ length }) => stream.consumed(length),
  end: answer,
});

const echo = (stream: Http2Stream): Partial<StreamHandler> => {
  let waiting = 0;
  stream.sendHead(fields([OK]), false);
  return {
    data: (bytes) => {
      if (stream.write(bytes)) stream.consumed(bytes.length);
      else waiting += bytes.length;
    },
    writable: () => {
      stream.consumed(waiting);
      waiting = 0;
    },
    end: () => stream.end(),
  };
};

const digesting = (stream: Http2Stream): Partial<StreamHandler> => {
  const hash = createHash("sha256");
  let length = 0;
  return {
    data: (bytes) => {
      hash.update(bytes);
      length += bytes.length;
      stream.consumed(bytes.length);
    },
    end: (trailers = []) => {
      stream.sendHead(fields([OK]), false);
      const said = trailers.map(({ name, value }) => ` ${name}=${value}`).join("");
      finish(stream, Buffer.from(`${hash.digest("hex")} ${length}${said}\n`));
    },
  };
};
