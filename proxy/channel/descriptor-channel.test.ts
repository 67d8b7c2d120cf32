import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Socket } from "node:net";
import { once } from "node:events";
import * as fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import { fileOf, openDescriptors, someDescriptor } from "../testing/open-descriptors.ts";
import type * as Libc from "../kernel/libc.ts";
import { close, lastError, type MessageHeader, sendmsg } from "../kernel/libc.ts";
import {
  closeDescriptors,
  DescriptorSender,
  makeChannel,
  makeStreamPair,
  MAX_DESCRIPTORS,
  MAX_PAYLOAD_BYTES,
  receiveDescriptors,
} from "./descriptor-channel.ts";

vi.mock(import("../kernel/libc.ts"), async (original): Promise<typeof Libc> => {
  const libc = await original();
  return { ...libc, close: vi.fn(libc.close) };
});

const channel = () => {
  const { near, far } = makeChannel();
  const hung = vi.fn<(reason: string) => void>();
  const sender = new DescriptorSender(near, new Socket({ fd: near.bell }), hung);
  const bell = new Socket({ fd: far.bell });
  let isFarOpen = true;
  const closeFar = (): void => {
    if (isFarOpen) close(far.packets);
    isFarOpen = false;
  };
  onTestFinished(() => {
    sender.close();
    bell.destroy();
    closeFar();
  });
  return { sender, hung, bell, packets: far.packets, closeFar };
};

const text = (payload: Uint8Array): string => Buffer.from(payload).toString();

test("a descriptor arrives as another descriptor of the same file, and the sender's is closed", () => {
  const { sender, packets } = channel();
  const [a, b] = [someDescriptor("/dev/null"), someDescriptor("/dev/zero")];
  const files = [fileOf(a), fileOf(b)];
  sender.send({ payload: Buffer.from("two"), descriptors: [a, b] });
  expect([fileOf(a), fileOf(b)]).toEqual([undefined, undefined]);
  const [message] = receiveDescriptors(packets);
  expect(message && text(message.payload)).toBe("two");
  expect(message?.descriptors.map(fileOf)).toEqual(files);
  closeDescriptors(message?.descriptors ?? []);
});

test("messages keep their order, their borders and their descriptors, whatever they are", () => {
  const { sender, packets } = channel();
  const before = openDescriptors();
  const message = fc.record({
    payload: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    count: fc.integer({ min: 0, max: MAX_DESCRIPTORS }),
  });
  const property = fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
    for (const { payload, count } of messages) {
      sender.send({ payload, descriptors: Array.from({ length: count }, () => someDescriptor()) });
    }
    const received = receiveDescriptors(packets);
    expect(received.map(({ payload, descriptors }) => ({ payload, count: descriptors.length }))).toEqual(messages);
    for (const { descriptors } of received) closeDescriptors(descriptors);
  });
  fc.assert(property, { numRuns: 50 });
  expect(openDescriptors()).toBe(before);
});

test("the bell rings for every batch", async () => {
  const { sender, bell, packets } = channel();
  sender.send({ payload: Buffer.from("hello"), descriptors: [] });
  await once(bell, "data");
  expect(receiveDescriptors(packets).map(({ payload }) => text(payload))).toEqual(["hello"]);
});

test("what does not fit into the socket waits, and arrives in order when the receiver reads", async () => {
  const { sender, hung, packets } = channel();
  const sent = Array.from({ length: 2_000 }, (_, index) => `message ${index}`);
  for (const each of sent) sender.send({ payload: Buffer.from(each), descriptors: [] });
  const received: string[] = [];
  received.push(...receiveDescriptors(packets).map(({ payload }) => text(payload)));
  expect(received.length).toBeLessThan(sent.length);
  await vi.waitFor(() => {
    received.push(...receiveDescriptors(packets).map(({ payload }) => text(payload)));
    expect(received.length).toBe(sent.length);
  });
  expect(received).toEqual(sent);
  expect(hung).not.toHaveBeenCalled();
});

test("a receiver that never reads counts as hung, once, and what waited for it is closed", () => {
  const { sender, hung, packets } = channel();
  const before = openDescriptors();
  for (let sent = 0; sent < 20_000; sent++) {
    sender.send({ payload: Buffer.from("x"), descriptors: sent % 100 === 0 ? [someDescriptor()] : [] });
  }
  expect(hung).toHaveBeenCalledTimes(1);
  expect(hung.mock.calls[0]?.[0]).toMatch(/messages .* wait unread/);
  for (const { descriptors } of receiveDescriptors(packets)) closeDescriptors(descriptors);
  // The sender's ends of the two socket pairs; Node.js closes that of the bell a moment later.
  expect(openDescriptors()).toBeLessThanOrEqual(before - 1);
});

test("a receiver that keeps asking for descriptors and reads none counts as hung long before all are used up", () => {
  const { sender, hung } = channel();
  let given = 0;
  for (; given < 15_000 && hung.mock.calls.length === 0; given += 8) {
    sender.send({ payload: Buffer.from("x"), descriptors: Array.from({ length: 8 }, () => someDescriptor()) });
  }
  expect(hung).toHaveBeenCalledTimes(1);
});

test("every descriptor is closed exactly once when the receiver goes away half-way", async () => {
  const { sender, hung, closeFar } = channel();
  const given: number[] = [];
  for (let sent = 0; sent < 600; sent++) {
    given.push(someDescriptor());
    sender.send({ payload: Buffer.alloc(1), descriptors: given.slice(-1) });
  }
  // The number of a descriptor that was sent already is free again, and may be anybody's.
  const waiting = given.filter((descriptor) => fileOf(descriptor) !== undefined);
  expect(waiting.length).toBeGreaterThan(100);
  closeFar();
  vi.mocked(close).mockClear();
  const last = someDescriptor();
  sender.send({ payload: Buffer.alloc(1), descriptors: [last] });
  await vi.waitFor(() => expect(hung).toHaveBeenCalledTimes(1));
  sender.close();
  const closed = vi.mocked(close).mock.calls.map(([descriptor]) => descriptor);
  expect(closed.length).toBe(new Set(closed).size);
  expect(closed).toEqual(expect.arrayContaining([...new Set(waiting), last]));
});

test("a receiver that is gone is noticed by sending, and what is sent later is closed", () => {
  const { sender, hung, closeFar } = channel();
  closeFar();
  sender.send({ payload: Buffer.from("x"), descriptors: [] });
  expect(hung.mock.calls).toEqual([["sendmsg: EPIPE"]]);
  const descriptor = someDescriptor();
  sender.send({ payload: Buffer.from("x"), descriptors: [descriptor] });
  expect(fileOf(descriptor)).toBeUndefined();
  expect(hung).toHaveBeenCalledTimes(1);
});

test.each([
  ["bytes", MAX_PAYLOAD_BYTES + 1, 0],
  ["descriptors", 1, MAX_DESCRIPTORS + 1],
])("a message with too many %s is a mistake of the sender's, which keeps nothing of it", (_, bytes, count) => {
  const { sender, packets } = channel();
  const before = openDescriptors();
  const descriptors = Array.from({ length: count }, () => someDescriptor());
  expect(() => sender.send({ payload: new Uint8Array(bytes), descriptors })).toThrow(/are no message/);
  expect(openDescriptors()).toBe(before);
  sender.send({ payload: Buffer.from("next"), descriptors: [] });
  expect(receiveDescriptors(packets).map(({ payload }) => text(payload))).toEqual(["next"]);
});

test("the longest message that may be sent arrives whole", () => {
  const { sender, packets } = channel();
  const payload = new Uint8Array(MAX_PAYLOAD_BYTES).fill(7);
  sender.send({ payload, descriptors: [] });
  expect(receiveDescriptors(packets)).toEqual([{ payload, descriptors: [] }]);
});

/** What no {@link DescriptorSender} sends. */
const sendRaw = (packets: number, bytes: number, descriptors: readonly number[]): void => {
  const payload = new Uint8Array(bytes);
  const control = new Uint8Array(16 + 4 * descriptors.length);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(control.length), true);
  view.setInt32(8, 1, true);
  view.setInt32(12, 1, true);
  for (const [index, descriptor] of descriptors.entries()) view.setInt32(16 + 4 * index, descriptor, true);
  const header: MessageHeader = {
    name: null,
    nameLength: 0,
    vectors: [{ base: payload, length: payload.length }],
    vectorCount: 1,
    control: descriptors.length === 0 ? null : control,
    controlLength: descriptors.length === 0 ? 0 : control.length,
    flags: 0,
  };
  expect(sendmsg(packets, header, 0)).toBe(bytes);
};

test.each([
  ["of its bytes", MAX_PAYLOAD_BYTES + 1, 1],
  ["of its descriptors", 1, MAX_DESCRIPTORS + 1],
])("a message that lost some %s breaks the channel, and leaves no descriptor behind", (_, bytes, count) => {
  const { near, far } = makeChannel();
  const descriptors = Array.from({ length: count }, () => someDescriptor());
  sendRaw(near.packets, bytes, descriptors);
  const before = openDescriptors();
  expect(() => receiveDescriptors(far.packets)).toThrow(/a message was cut/);
  expect(openDescriptors()).toBe(before);
  closeDescriptors([...descriptors, near.packets, near.bell, far.packets, far.bell]);
});

test("a receiver that may open no more files gets the message, what fits of its descriptors, and is told", () => {
  const script = `
    const { makeChannel, MAX_DESCRIPTORS, receiveDescriptors, sendPacket } = await import(process.argv[1]);
    const { near, far } = makeChannel();
    for (let round = 0; round < 2; round++) sendPacket(near.packets, { payload: Uint8Array.of(7), descriptors: Array(MAX_DESCRIPTORS).fill(0) });
    const all = receiveDescriptors(far.packets);
    console.log(JSON.stringify(all.map(({ payload, descriptors, isShort }) => [payload[0], descriptors.length < MAX_DESCRIPTORS, isShort])));`;
  const command = [
    process.execPath,
    "--input-type=module",
    "-e",
    script,
    join(import.meta.dirname, "descriptor-channel.ts"),
  ];
  const output = execFileSync("prlimit", ["--nofile=70:70", "--", ...command], { encoding: "utf8" });
  expect(JSON.parse(output)).toEqual([
    [7, true, true],
    [7, true, true],
  ]);
});

test("when the sender is gone nothing more arrives", () => {
  const { sender, packets } = channel();
  sender.send({ payload: Buffer.from("last"), descriptors: [] });
  sender.close();
  expect(receiveDescriptors(packets).map(({ payload }) => text(payload))).toEqual(["last"]);
  expect(receiveDescriptors(packets)).toEqual([]);
});

test("a stream pair joins two sockets", async () => {
  const [near, far] = makeStreamPair().map((fd) => new Socket({ fd }));
  near?.end("over");
  const [chunk] = (await once(far ?? new Socket(), "data")) as [Buffer];
  expect(chunk.toString()).toBe("over");
  far?.destroy();
});

test("nothing can be sent in the other direction: what is not read would be held, with its descriptors", () => {
  const { packets } = channel();
  const payload = Uint8Array.of(1);
  const header: MessageHeader = {
    name: null,
    nameLength: 0,
    vectors: [{ base: payload, length: 1 }],
    vectorCount: 1,
    control: null,
    controlLength: 0,
    flags: 0,
  };
  expect([sendmsg(packets, header, 0x4000), lastError()]).toEqual([-1, "EPIPE"]);
});
