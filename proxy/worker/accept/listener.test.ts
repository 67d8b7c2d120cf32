import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { close, duplicate } from "../../kernel/libc.ts";
import { backlogOf, listeningSocket } from "../../testing/listening-sockets.ts";
import { fileOf, someDescriptor } from "../../testing/open-descriptors.ts";
import { Listener, type ListenerOptions } from "./listener.ts";

const START_WAIT_MS = 5_000;

afterEach(() => void vi.useRealTimers());

/** A listener with what it did, the copy of its socket that the supervisor keeps, and a way to call it. */
const listening = (changes: Partial<ListenerOptions> = {}) => {
  const { descriptor, port } = listeningSocket();
  const copy = duplicate(descriptor);
  const [served, refused]: [Socket[], Socket[]] = [[], []];
  const onError = vi.fn<(error: Error) => void>();
  const listener = new Listener(descriptor, {
    startWaitMs: START_WAIT_MS,
    isHeld: false,
    isCaptured: true,
    onConnection: (socket) => void served.push(socket),
    onRefused: (socket) => {
      refused.push(socket);
      socket.resetAndDestroy();
    },
    onError,
    ...changes,
  });
  const call = async (): Promise<Socket> => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    // A refusal may be there before we know that we were connected.
    await new Promise<void>((resolve) => {
      socket.once("connect", () => resolve()).once("close", () => resolve());
    });
    return socket;
  };
  onTestFinished(() => {
    listener.close();
    for (const socket of served) socket.destroy();
    close(copy);
  });
  return { listener, descriptor, copy, served, refused, onError, call };
};

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
};

test("connections wait in the kernel until the pod can be served, and are served then, in their order", async () => {
  const { listener, served, refused, call } = listening();
  const callers = [await call(), await call()];
  await turns();
  expect([served.length, refused.length, listener.isServing]).toEqual([0, 0, false]);
  listener.start();
  expect(listener.isServing).toBe(true);
  await vi.waitFor(() =>
    expect(served.map(({ remotePort }) => remotePort)).toEqual(callers.map(({ localPort }) => localPort)),
  );
  expect(refused).toEqual([]);
});

test("connections that waited for too long are refused, and so are those that come, until the pod can be served", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { listener, served, refused, call } = listening();
  await call();
  vi.advanceTimersByTime(START_WAIT_MS - 1);
  await turns();
  expect(refused).toHaveLength(0);
  vi.advanceTimersByTime(1);
  vi.useRealTimers();
  await vi.waitFor(() => expect(refused).toHaveLength(1));
  await call();
  await vi.waitFor(() => expect(refused).toHaveLength(2));
  expect(listener.isServing).toBe(false);
  listener.start();
  await call();
  await vi.waitFor(() => expect(served).toHaveLength(1));
  expect([refused.length, listener.isServing]).toEqual([2, true]);
});

test("a pod that can be served in time is never refused anything", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { listener, served, refused, call } = listening();
  listener.start();
  listener.start();
  vi.advanceTimersByTime(10 * START_WAIT_MS);
  vi.useRealTimers();
  await call();
  await vi.waitFor(() => expect(served).toHaveLength(1));
  expect([refused.length, listener.isServing]).toEqual([0, true]);
});

test("the queue for connections stays as long as the supervisor made it", () => {
  const { listener, copy } = listening();
  const before = backlogOf(copy);
  expect(before).toBeGreaterThan(511);
  listener.start();
  expect(backlogOf(copy)).toBe(before);
});

test("nothing of a captured connection is read before somebody wants it, and one direction may end alone", async () => {
  const { listener, served, call } = listening();
  listener.start();
  const caller = await call();
  await vi.waitFor(() => expect(served).toHaveLength(1));
  const socket = served[0] as Socket;
  await new Promise<void>((resolve) => {
    caller.write("early", () => resolve());
  });
  await turns();
  expect(socket.bytesRead).toBe(0);
  caller.end();
  expect(String(await once(socket.resume(), "data"))).toBe("early");
  await once(socket, "end");
  socket.end("late");
  expect(String(await once(caller, "data"))).toBe("late");
});

test("a connection to the tunnel port is one for TLS: read at once, and ended as a whole", async () => {
  const { listener, served, call } = listening({ isCaptured: false });
  listener.start();
  const caller = await call();
  await vi.waitFor(() => expect(served).toHaveLength(1));
  caller.end("early");
  await vi.waitFor(() => expect(served[0]?.bytesRead).toBe(5));
  served[0]?.resume();
  await once(caller.resume(), "end");
});

test("a caller that is gone again breaks nothing", async () => {
  const { listener, served, call } = listening();
  const caller = await call();
  caller.resetAndDestroy();
  await turns();
  listener.start();
  await call();
  await vi.waitFor(() => expect(served.length).toBeGreaterThan(0));
  const before = served.length;
  served.at(-1)?.resume();
  await call();
  await vi.waitFor(() => expect(served).toHaveLength(before + 1));
});

test("closing what waits closes its descriptor, once, and nothing begins afterwards", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { listener, descriptor, served, refused, call } = listening();
  const file = fileOf(descriptor);
  listener.close();
  expect(vi.getTimerCount()).toBe(0);
  expect(fileOf(descriptor)).not.toBe(file);
  const other = someDescriptor();
  expect(other).toBe(descriptor);
  listener.close();
  listener.start();
  vi.advanceTimersByTime(START_WAIT_MS);
  expect(fileOf(other)).toBeDefined();
  close(other);
  await call();
  await turns();
  expect([served.length, refused.length, listener.isServing]).toEqual([0, 0, false]);
});

test("closing what serves accepts nothing more and leaves open what is open; the supervisor's copy listens on", async () => {
  const { listener, served, call } = listening();
  listener.start();
  const caller = await call();
  await vi.waitFor(() => expect(served).toHaveLength(1));
  listener.close();
  expect(listener.isServing).toBe(false);
  await turns();
  await call();
  await turns();
  expect(served).toHaveLength(1);
  served[0]?.write("still here");
  expect(String(await once(caller, "data"))).toBe("still here");
  listener.start();
  expect(listener.isServing).toBe(false);
});

test("what refuses can be closed too", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { listener, refused, call } = listening();
  vi.advanceTimersByTime(START_WAIT_MS);
  vi.useRealTimers();
  listener.close();
  await turns();
  await call();
  await turns();
  expect(refused).toEqual([]);
});

test("a descriptor that nobody can listen at is told", async () => {
  const onError = vi.fn<(error: Error) => void>();
  const listener = new Listener(someDescriptor(), {
    startWaitMs: START_WAIT_MS,
    isHeld: false,
    isCaptured: true,
    onConnection: () => undefined,
    onRefused: () => undefined,
    onError,
  });
  listener.start();
  await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(1));
  listener.close();
});

test("one that is held leaves connections to the other process, however long, and serves when it is released", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { listener, served, refused, call } = listening({ isHeld: true });
  listener.start();
  await vi.advanceTimersByTimeAsync(START_WAIT_MS * 10);
  vi.useRealTimers();
  await call();
  await turns();
  expect([served.length, refused.length, listener.isServing]).toEqual([0, 0, false]);
  listener.release();
  await vi.waitFor(() => expect(served).toHaveLength(1));
  expect([refused.length, listener.isServing]).toEqual([0, true]);
});

test("the wait for what is missing begins when it is released", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { listener, refused, call } = listening({ isHeld: true });
  await vi.advanceTimersByTimeAsync(START_WAIT_MS * 10);
  listener.release();
  await vi.advanceTimersByTimeAsync(START_WAIT_MS);
  vi.useRealTimers();
  await call();
  await vi.waitFor(() => expect(refused).toHaveLength(1));
});

test("one that is closed while it is held gives its socket back, and stays closed", () => {
  const { listener, descriptor, served } = listening({ isHeld: true });
  const file = fileOf(descriptor);
  listener.close();
  expect(fileOf(descriptor)).not.toBe(file);
  listener.release();
  listener.start();
  expect([served.length, listener.isServing]).toEqual([0, false]);
});
