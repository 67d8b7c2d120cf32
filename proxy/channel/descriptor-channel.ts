import type { Socket } from "node:net";
import { OPEN_FILES_REMEDY } from "../kernel/open-files.ts";
import { close, lastError, type MessageHeader, must, recvmsg, sendmsg, shutdown, socketpair } from "../kernel/libc.ts";

/** One message of a descriptor channel. Whoever receives it owns the descriptors and must close them. */
export interface DescriptorMessage {
  readonly payload: Uint8Array;
  readonly descriptors: readonly number[];
  /** Not all descriptors that were sent are there: the receiver's limit of open files is reached. */
  readonly isShort?: boolean;
}

/** How many descriptors one message carries at most (the kernel allows 253). */
export const MAX_DESCRIPTORS = 64;
/** A message longer than this is a broken invariant of the sender. */
export const MAX_PAYLOAD_BYTES = 16_384;
/** How many messages, and descriptors in them, wait for a receiver that does not read before it counts as hung. */
const MAX_QUEUED_MESSAGES = 16_384;
const MAX_QUEUED_DESCRIPTORS = 8_192;
/** How soon a full socket is tried again. */
const RETRY_MS = 5;

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SHUT_RD = 0;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
/** The message did not fit. */
const MSG_TRUNC = 0x20;
/** Its descriptors did not; what fitted is there. */
const MSG_CTRUNC = 0x08;
/** struct cmsghdr: length u64, level i32, type i32; then the descriptors, i32 each (unix(7)). */
const CONTROL_HEADER_BYTES = 16;

/**
 * Two connected pairs of unix sockets: `packets` keeps message borders and carries descriptors, which Node.js cannot wait
 * on; a byte on `bell` says that there is something to receive. The bell also carries the records of the other direction.
 */
export interface ChannelEnds {
  readonly packets: number;
  readonly bell: number;
}

/** Makes a channel: the ends to keep, and the ends for the child that is about to be started. */
export const makeChannel = (): { readonly near: ChannelEnds; readonly far: ChannelEnds } => {
  const packets = makePair(SOCK_SEQPACKET);
  const bell = makePair(SOCK_STREAM);
  return { near: { packets: packets[0], bell: bell[0] }, far: { packets: packets[1], bell: bell[1] } };
};

/** A connected pair of stream sockets, for two processes that talk without us. */
export const makeStreamPair = (): readonly [number, number] => makePair(SOCK_STREAM);

export const closeDescriptors = (descriptors: Iterable<number>): void => {
  for (const descriptor of descriptors) close(descriptor);
};

/** The side that gives descriptors away: the supervisor. */
export class DescriptorSender {
  readonly #packets: number;
  readonly #bell: Socket;
  readonly #queue: DescriptorMessage[] = [];
  #queuedDescriptors = 0;
  readonly #onHung: (reason: string) => void;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param onHung called once when the receiver stopped reading, or is gone in a way that only sending shows */
  constructor(ends: ChannelEnds, bell: Socket, onHung: (reason: string) => void) {
    this.#packets = ends.packets;
    this.#bell = bell;
    this.#onHung = onHung;
    // Nobody reads here: what the other side wants to send, descriptors among it, is refused at once.
    must("shutdown", shutdown(ends.packets, SHUT_RD));
  }

  /**
   * Sends a message in order. The descriptors are closed here as soon as the kernel has them, whatever happens.
   * @throws Error if the message is larger than one may be
   */
  send(message: DescriptorMessage): void {
    const { payload, descriptors } = message;
    const isTooLarge = payload.length > MAX_PAYLOAD_BYTES || descriptors.length > MAX_DESCRIPTORS;
    if (this.#closed || isTooLarge) closeDescriptors(descriptors);
    if (isTooLarge) throw new Error(`${payload.length} bytes and ${descriptors.length} descriptors are no message`);
    if (this.#closed) return;
    this.#queue.push(message);
    this.#queuedDescriptors += descriptors.length;
    if (this.#retry === undefined) this.#flush();
    if (this.#queue.length > MAX_QUEUED_MESSAGES || this.#queuedDescriptors > MAX_QUEUED_DESCRIPTORS) {
      this.#hang(`${this.#queue.length} messages with ${this.#queuedDescriptors} descriptors wait unread`);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const { descriptors } of this.#queue.splice(0)) closeDescriptors(descriptors);
    close(this.#packets);
    this.#bell.destroy();
  }

  #flush(): void {
    this.#retry = undefined;
    let sent = 0;
    let failure: string | undefined;
    for (const message of this.#queue) {
      failure = sendPacket(this.#packets, message);
      if (failure !== undefined) break;
      closeDescriptors(message.descriptors);
      this.#queuedDescriptors -= message.descriptors.length;
      sent++;
    }
    // What is closed leaves the queue before anything else closes what is in it: a number that was closed may be another's.
    this.#queue.splice(0, sent);
    if (failure !== undefined && !IS_FULL.has(failure)) return this.#hang(`sendmsg: ${failure}`);
    if (sent > 0) this.#bell.write(BELL);
    if (this.#queue.length > 0) this.#retry = setTimeout(() => this.#flush(), RETRY_MS);
  }

  #hang(reason: string): void {
    this.close();
    this.#onHung(reason);
  }
}

const BELL = Uint8Array.of(1);
/** Errors of sendmsg(2) that end when the receiver reads; ETOOMANYREFS: of the descriptors of all messages under way. */
const IS_FULL: ReadonlySet<string> = new Set(["EAGAIN", "ENOBUFS", "ETOOMANYREFS"]);

/** Receives everything that is there. @throws Error if the channel is broken; a cut message is a broken channel, one that is short of descriptors is not */
export const receiveDescriptors = (packets: number): readonly DescriptorMessage[] => {
  const messages: DescriptorMessage[] = [];
  for (;;) {
    const message = receivePacket(packets);
    if (message === undefined) return messages;
    messages.push(message);
  }
};

/** For messages that mean nothing without all of their descriptors. @throws Error if some are missing; the others are closed then */
export const wholeMessage = (message: DescriptorMessage): DescriptorMessage => {
  if (!message.isShort) return message;
  closeDescriptors(message.descriptors);
  throw new Error(`recvmsg: the limit of open files is reached: ${OPEN_FILES_REMEDY}`);
};

/**
 * Sends one message over a socket of any kind, whose other end must be there to take it. The descriptors stay the caller's.
 * @returns the errno's name if the kernel did not take it
 */
export const sendPacket = (packets: number, { payload, descriptors }: DescriptorMessage): string | undefined => {
  const control = descriptors.length === 0 ? null : controlMessage(descriptors);
  const header = messageHeader(payload, control);
  return sendmsg(packets, header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? lastError() : undefined;
};

const inbox = new Uint8Array(MAX_PAYLOAD_BYTES);
const inboxControl = new Uint8Array(CONTROL_HEADER_BYTES + 4 * MAX_DESCRIPTORS);

const receivePacket = (packets: number): DescriptorMessage | undefined => {
  const header = messageHeader(inbox, inboxControl);
  const received = recvmsg(packets, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0) {
    const problem = lastError();
    if (problem === "EAGAIN") return undefined;
    throw new Error(`recvmsg: ${problem}`);
  }
  const descriptors = header.controlLength > CONTROL_HEADER_BYTES ? readControl() : [];
  const isShort = (header.flags & MSG_CTRUNC) !== 0;
  const isTooLarge = (header.flags & MSG_TRUNC) !== 0 || (isShort && descriptors.length === MAX_DESCRIPTORS);
  if (isTooLarge) {
    closeDescriptors(descriptors);
    throw new Error("recvmsg: a message was cut");
  }
  // A sequenced packet of no bytes is the end of the stream.
  return received === 0 ? undefined : { payload: inbox.slice(0, received), descriptors, ...(isShort && { isShort }) };
};

const messageHeader = (payload: Uint8Array, control: Uint8Array | null): MessageHeader => ({
  name: null,
  nameLength: 0,
  vectors: [{ base: payload, length: payload.length }],
  vectorCount: 1,
  control,
  controlLength: control?.length ?? 0,
  flags: 0,
});

const controlMessage = (descriptors: readonly number[]): Uint8Array => {
  const control = new Uint8Array(CONTROL_HEADER_BYTES + 4 * descriptors.length);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(control.length), true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  for (const [index, descriptor] of descriptors.entries()) {
    view.setInt32(CONTROL_HEADER_BYTES + 4 * index, descriptor, true);
  }
  return control;
};

const readControl = (): number[] => {
  const view = new DataView(inboxControl.buffer);
  const count = (Number(view.getBigUint64(0, true)) - CONTROL_HEADER_BYTES) / 4;
  return Array.from({ length: count }, (_, index) => view.getInt32(CONTROL_HEADER_BYTES + 4 * index, true));
};

const makePair = (type: number): [number, number] => {
  const fds = new Int32Array(2);
  must("socketpair", socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
  return [fds[0] ?? -1, fds[1] ?? -1];
};
