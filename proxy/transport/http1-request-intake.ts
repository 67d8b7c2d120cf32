import type { Field } from "#wire/field.ts";
import type { ReceivedRequestHead } from "#wire/http1/head.ts";
import { RequestReader } from "#wire/http1/request-reader.ts";
import { HeldBytes } from "./http1-held-bytes.ts";
import type { Http1ServerSettings } from "./http1-limits.ts";

/** What a client's bytes are: read as requests, handed on as they are, or thrown away. */
export type BytesAre = "requests" | "tunnel" | "nothing";

/** Who says what becomes of a client's bytes, and is told what they mean. */
export interface IntakeOwner {
  bytesAre(): BytesAre;
  /** Whether more of a request, or the next one, may be read now. */
  mayRead(): boolean;
  head(head: ReceivedRequestHead): void;
  content(data: Uint8Array): void;
  end(trailers: readonly Field[]): void;
  tunnelData(chunk: Uint8Array): void;
  /** All that came was read, and no more comes. */
  ended(): void;
  /** What reading has thrown, which may be the owner's own. */
  failed(error: unknown): void;
}

/** Reads the requests of one connection, and keeps what came too early: later requests, or the beginning of a tunnel. */
export class RequestIntake {
  readonly #owner: IntakeOwner;
  readonly #reader: RequestReader;
  readonly #held = new HeldBytes();
  #isReading = false;
  #hasEnded = false;

  constructor({ rules, limits }: Http1ServerSettings, owner: IntakeOwner) {
    this.#owner = owner;
    const handler = {
      onHead: (head: ReceivedRequestHead) => owner.head(head),
      onData: (data: Uint8Array) => owner.content(data),
      onEnd: (trailers: readonly Field[]) => owner.end(trailers),
    };
    this.#reader = new RequestReader(handler, rules, limits);
  }

  get heldBytes(): number {
    return this.#held.length;
  }

  /** No request has begun. */
  get isIdle(): boolean {
    return this.#reader.isIdle && this.#held.length === 0;
  }

  /** The next byte, if any may come, is the first of a request. */
  get isBetweenRequests(): boolean {
    return this.#reader.isIdle;
  }

  /** No request may follow the last one. */
  get isLast(): boolean {
    return this.#reader.isLast;
  }

  /** Whether it is called from within its own handler. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** The client sends no more, and all it sent was read. */
  get isOver(): boolean {
    return this.#hasEnded && this.#held.length === 0 && !this.#isReading;
  }

  take(chunk: Uint8Array): void {
    const bytesAre = this.#owner.bytesAre();
    if (bytesAre === "tunnel") this.#owner.tunnelData(chunk);
    else if (bytesAre === "requests") {
      const rest = this.#held.length > 0 || !this.#owner.mayRead() ? chunk : this.#read(chunk);
      if (rest) this.#held.add(rest);
    }
  }

  /** Reads what was held, as far as that may be read now. */
  resume(): void {
    if (this.#isReading) return;
    while (this.#held.length > 0 && this.#mayResume()) {
      const chunk = this.#held.take() ?? NOTHING;
      if (this.#owner.bytesAre() === "tunnel") this.#owner.tunnelData(chunk);
      else {
        const rest = this.#read(chunk);
        // Ours already: a copy for each of the requests in it would cost more than to serve them.
        if (rest) this.#held.putBack(rest);
      }
    }
    if (this.#hasEnded && this.#held.length === 0) this.#owner.ended();
  }

  /** The client has ended its direction. */
  end(): void {
    this.#hasEnded = true;
  }

  /** An end between two requests is a good one. @throws Http1Error inside of one */
  readEnd(): void {
    this.#reader.readEnd();
  }

  /** The request that offered a switch is an ordinary one, and so are the bytes after it. */
  declineSwitch(): void {
    this.#reader.declineSwitch();
  }

  /** Throws away what was held. */
  drop(): void {
    this.#held.clear();
  }

  #mayResume(): boolean {
    const bytesAre = this.#owner.bytesAre();
    return bytesAre === "tunnel" || (bytesAre === "requests" && this.#owner.mayRead());
  }

  /** @returns what is to be read later */
  #read(chunk: Uint8Array): Uint8Array | undefined {
    let rest = chunk;
    this.#isReading = true;
    try {
      while (rest.length > 0 && this.#owner.bytesAre() === "requests" && this.#owner.mayRead())
        rest = rest.subarray(this.#reader.read(rest));
    } catch (error) {
      this.#owner.failed(error);
    } finally {
      this.#isReading = false;
    }
    if (rest.length === 0) return undefined;
    const bytesAre = this.#owner.bytesAre();
    if (bytesAre === "tunnel") this.#owner.tunnelData(rest);
    return bytesAre === "requests" ? rest : undefined;
  }
}

const NOTHING = new Uint8Array(0);
