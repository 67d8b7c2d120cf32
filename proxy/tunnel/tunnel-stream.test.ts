import { expect, test } from "vitest";
import type { Http2Stream } from "#wire/http2/stream.ts";
import { TunnelStream } from "./tunnel-stream.ts";

/** Nothing of it is called before somebody writes. */
const STREAM = {} as Http2Stream;

test("small pieces that come before somebody reads are held as one, so that a byte costs no more than a byte", () => {
  const tunnel = new TunnelStream(STREAM);
  const sent = Array.from({ length: 1_000 }, (_, index) => index % 256);
  for (const byte of sent) tunnel.deliver(Uint8Array.of(byte));
  tunnel.deliverEnd();
  const pieces: Uint8Array[] = [];
  let hasEnded = false;
  tunnel.read({
    data: (bytes) => void pieces.push(bytes),
    end: () => (hasEnded = true),
    writable: () => undefined,
    closed: () => undefined,
  });
  expect(Buffer.concat(pieces)).toEqual(Buffer.from(sent));
  expect(pieces.length).toBeLessThan(10);
  expect(hasEnded).toBe(true);
});

test("what is over keeps nothing of what still comes", () => {
  const tunnel = new TunnelStream(STREAM);
  tunnel.deliverReset(8, "gone");
  tunnel.deliver(Uint8Array.of(1));
  const seen: string[] = [];
  tunnel.read({
    data: () => void seen.push("data"),
    end: () => void seen.push("end"),
    writable: () => undefined,
    closed: (problem) => void seen.push(`closed: ${problem}`),
  });
  expect(seen).toEqual(["closed: gone (cancel)"]);
});
