import { once } from "node:events";
import { expect, test } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { setResetOnClose } from "./reset-on-close.ts";
import { socketDescriptor } from "./socket-descriptor.ts";

/** How the other end sees the end: a clean one, or the error's code. */
const endSeenBy = async (far: Awaited<ReturnType<typeof loopbackPair>>[1]): Promise<string> => {
  const ended = once(far, "end").then(
    () => "end",
    (error: NodeJS.ErrnoException) => error.code ?? "error",
  );
  far.resume();
  return await ended;
};

test("a socket that resets is seen to have been reset, one that does not is seen to have ended", async () => {
  for (const [resets, seen] of [
    [true, "ECONNRESET"],
    [false, "end"],
  ] as const) {
    const [near, far] = await loopbackPair();
    setResetOnClose(near, resets);
    const end = endSeenBy(far);
    near.destroy();
    expect(await end).toBe(seen);
  }
});

test("the last word counts", async () => {
  const [near, far] = await loopbackPair();
  setResetOnClose(near, true);
  setResetOnClose(near, false);
  const end = endSeenBy(far);
  near.destroy();
  expect(await end).toBe("end");
});

test("a socket that is closed already stays as it is, and has no descriptor", async () => {
  const [near] = await loopbackPair();
  near.destroy();
  setResetOnClose(near, true);
  await once(near, "close");
  setResetOnClose(near, true);
  expect(() => socketDescriptor(near)).toThrow("a socket has no descriptor");
});
