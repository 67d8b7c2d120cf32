import { openSync, writeSync } from "node:fs";
import { type MessageHeader, sendmsg } from "#proxy/kernel/libc.ts";
import { encodeWorkerRecord } from "#proxy/channel/worker-record.ts";
import type { ChannelAttack } from "./orders.ts";

/** The descriptors of a child's channel to the supervisor. */
const BELL = 3;
const PACKETS = 4;
const DESCRIPTORS_PER_MESSAGE = 64;
const RECORDS_PER_WRITE = 4_096;
const PAUSE_MS = 1;

const something = openSync("/dev/null", "r");

const repeated = (record: Uint8Array): Uint8Array =>
  new Uint8Array(Buffer.concat(Array.from({ length: RECORDS_PER_WRITE }, () => record)));

const need = (slot: number, count: number): Uint8Array =>
  encodeWorkerRecord({ kind: "need", slot, sockets: "direct", count });

/** As much as the kernel takes, again and again. */
const without = (end: () => void): void => {
  setInterval(() => {
    try {
      for (;;) end();
    } catch {
      // The kernel takes no more for now.
    }
  }, PAUSE_MS);
};

const writes = (bytes: Uint8Array) => (): void => {
  writeSync(BELL, bytes);
};

/** A message with descriptors in it, of which nobody has asked for one. */
const giveDescriptors = (to: number): void => {
  const control = Buffer.alloc(16 + 4 * DESCRIPTORS_PER_MESSAGE);
  control.writeBigUInt64LE(BigInt(control.length), 0);
  control.writeInt32LE(1, 8);
  control.writeInt32LE(1, 12);
  for (let index = 0; index < DESCRIPTORS_PER_MESSAGE; index++) control.writeInt32LE(something, 16 + 4 * index);
  // A record that is well-formed, so that what is watched is the descriptors.
  const payload = need(4_000_000, 1);
  const header: MessageHeader = {
    name: null,
    nameLength: 0,
    vectors: [{ base: payload, length: payload.length }],
    vectorCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  };
  if (sendmsg(to, header, 0x40) < 0) throw new Error("full");
};

const ready = encodeWorkerRecord({ kind: "ready" });

/** What each attack does after the worker has said that it is ready. It never reads what it is sent. */
export const attackChannel = (attack: ChannelAttack): void => {
  writeSync(BELL, ready);
  switch (attack) {
    case "flood":
      return without(writes(repeated(need(4_000_000, 1))));
    case "greed":
      // The first pod of a node has the first slot.
      return without(writes(Buffer.concat([need(1, 16_384), need(2, 16_384)])));
    case "descriptors": {
      const giveBoth = (): void => {
        for (const end of [BELL, PACKETS]) giveDescriptors(end);
      };
      setInterval(() => {
        try {
          giveBoth();
        } catch {
          // Full, or nobody takes them.
        }
      }, PAUSE_MS);
      return;
    }
    case "garbage":
      return void writeSync(BELL, crypto.getRandomValues(new Uint8Array(4_096)));
    case "half a record":
      writeSync(BELL, ready.subarray(0, 7));
      return void setInterval(() => undefined, 1_000);
  }
};
