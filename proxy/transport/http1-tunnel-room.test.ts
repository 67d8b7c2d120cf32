import { expect, test } from "vitest";
import { FakeByteStream } from "../testing/fake-byte-stream.ts";
import { TunnelByteStream } from "./http1-tunnel-stream.ts";

const opened = async () => {
  const below = new FakeByteStream();
  const gone: string[] = [];
  const stream = new TunnelByteStream(below, {
    data: () => undefined,
    ended: () => undefined,
    writable: () => undefined,
    blocked: () => undefined,
    gone: (reason) => void gone.push(reason),
  });
  await Promise.resolve();
  return { below, stream, gone };
};

test("what comes while nobody reads keeps its room until somebody does", async () => {
  const { below, stream } = await opened();
  stream.setReading(false);
  below.receive("abc");
  expect(below.consumedBytes).toBe(0);
  stream.setReading(true);
  below.receive("de");
  expect(below.consumedBytes).toBe(5);
});

test.each<readonly [string, (at: Awaited<ReturnType<typeof opened>>) => void]>([
  ["has ended in both directions", ({ below }) => below.reader?.closed(undefined)],
  ["was broken off", ({ below }) => below.reader?.closed("reset by the peer")],
  ["is given up", ({ stream }) => stream.abort("nobody wants it")],
  ["is closed", ({ stream }) => stream.destroy("it is done")],
])("the connection of a tunnel that %s gets the room back that its bytes had", async (_, act) => {
  const at = await opened();
  at.stream.setReading(false);
  at.below.receive("abc");
  act(at);
  await Promise.resolve();
  expect([at.below.consumedBytes, at.gone.length]).toEqual([3, 1]);
});
