import { Http2Connection } from "#wire/http2/connection.ts";
import { field } from "#wire/http1/head.ts";
import { TEST_LIMITS } from "#wire/http2/testing/test-limits.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import { BrokenInvariant, type FuzzTarget, mustEqual, pieces, words } from "../target.ts";

const FRAMES = words(
  ..."PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n|\0\0\0\x04\0\0\0\0\0|\0\0\0\x04\x01\0\0\0\0|\0\0\x04\x08\0\0\0\0\0|\0\0\x04\x03\0\0\0\0\x01|\0\0\x01\x01\x05\0\0\0\x01".split(
    "|",
  ),
  ..."\0\0\x01\0\0\0\0\0\x01|\0\0\x08\x06\0\0\0\0\0|\0\0\x08\x07\0\0\0\0\0|\0\0\x01\x09\x04\0\0\0\x01|\x82\x86\x84\x41\x01a|\0\0\0\x01|\0\0\0\x03|\x7f\xff\xff\xff|\x88".split(
    "|",
  ),
);

/** Bytes that may be sent for one that came, and what every connection may say: more would be an amplifier. */
const [AMPLIFICATION, FREE_BYTES] = [100, 64 * 1024];

/** What a connection said and what happened on it; the same however the bytes were cut. */
const talk = (role: "client" | "server", chunks: readonly Uint8Array[]): readonly string[] => {
  const said: string[] = [];
  const handler = (stream: Http2Stream): StreamHandler => {
    let received = 0;
    return {
      response: ({ status }) => void said.push(`${stream.id} ${status}`),
      data: (bytes) => {
        stream.consumed(bytes.length);
        received += bytes.length;
      },
      end: (trailers) => {
        // Of a stream that is reset some bytes may have been handed out before, or none: that depends on the cut.
        said.push(`${stream.id} end after ${received} ${JSON.stringify(trailers ?? [])}`);
        if (role === "server") answer(stream);
      },
      writable: () => undefined,
      reset: (code) => void said.push(`${stream.id} reset ${code}`),
      closed: () => void said.push(`${stream.id} closed`),
    };
  };
  const answer = (stream: Http2Stream): void => {
    stream.sendHead([field(":status", "200")], false);
    stream.write(new Uint8Array(10));
    stream.end();
  };
  const connection = new Http2Connection(
    role,
    TEST_LIMITS,
    {
      request: (stream, head) => {
        said.push(`${stream.id} ${JSON.stringify(head.section)}`);
        return handler(stream);
      },
      ready: () => undefined,
      goAway: ({ code }) => void said.push(`goaway ${code}`),
      pong: () => undefined,
      streamClosed: () => undefined,
      wake: () => undefined,
    },
    0,
  );
  if (role === "client") {
    const section = [field(":method", "GET"), field(":scheme", "http"), field(":authority", "a"), field(":path", "/")];
    connection.open(section, true, handler);
    connection.open([field(":method", "POST"), ...section.slice(1)], false, handler);
  }
  let [came, sent] = [0, 0];
  for (const chunk of chunks) {
    for (let rest = chunk; rest.length > 0;) rest = rest.subarray(connection.receive(rest, 0));
    came += chunk.length;
    sent += connection.takeOutput().reduce((sum, part) => sum + part.length, 0);
    connection.pump();
  }
  sent += connection.takeOutput().reduce((sum, part) => sum + part.length, 0);
  if (sent > AMPLIFICATION * came + FREE_BYTES) throw new BrokenInvariant("bytes sent are in proportion", sent, came);
  said.push(`failure ${connection.failure?.message ?? "none"}`);
  connection.lost("over");
  if (connection.openStreams > 0)
    throw new BrokenInvariant("no stream outlives its connection", connection.openStreams, 0);
  return said;
};

const target = (role: "client" | "server"): FuzzTarget => ({
  name: `http2-${role}`,
  dictionary: FRAMES,
  script: "/wire/http2/",
  run: (input) => {
    const whole = talk(role, [Uint8Array.from(input)]);
    mustEqual("the same in pieces", talk(role, pieces(input)), whole);
  },
});

export const http2Server = target("server");
export const http2Client = target("client");
