import type { HttpWriter } from "../../http/message.ts";
import type { ByteBudget } from "./byte-budget.ts";

/** Pieces up to this length are copied together: one by one each would take hundreds of bytes of memory. */
const JOINED_BYTES = 1024;
const FIRST_SLAB_BYTES = 1024;
const MAX_SLAB_BYTES = 16 * 1024;

/** The content of a request that may have to be sent, or sent again, from its beginning. */
export class KeptContent {
  readonly #budget: ByteBudget;
  readonly #max: number;
  #parts: Buffer[] = [];
  #slab: Buffer | undefined;
  /** Of the slab. */
  #used = 0;
  #bytes = 0;
  #received = 0;
  /** As much of it was taken from the budget. */
  #taken = 0;

  /**
   * @param budget of the pod
   * @param max bytes of this request
   */
  constructor(budget: ByteBudget, max: number) {
    this.#budget = budget;
    this.#max = max;
  }

  /** Whether all that came so far is still there. */
  get isWhole(): boolean {
    return this.#bytes === this.#received;
  }

  /** So many bytes came, whether they are kept or not. */
  received(bytes: number): void {
    this.#received += bytes;
  }

  /** @returns whether so many more may be kept; they are accounted for then */
  mayKeep(bytes: number): boolean {
    if (this.#bytes + bytes > this.#max || !this.#budget.take(bytes)) return false;
    this.#taken += bytes;
    return true;
  }

  /** @param bytes are copied */
  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (bytes.length > JOINED_BYTES) {
      this.#seal();
      this.#parts.push(Buffer.from(bytes));
      return;
    }
    if (this.#slab === undefined || this.#used + bytes.length > this.#slab.length) this.#renew();
    this.#slab?.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Writes everything. @returns whether more is welcome */
  sendTo(writer: HttpWriter): boolean {
    let isWelcome = true;
    for (const part of this.#parts) isWelcome = writer.write(part);
    if (this.#slab && this.#used > 0) isWelcome = writer.write(this.#slab.subarray(0, this.#used));
    return isWelcome;
  }

  /** Keeps nothing any more: it cannot be sent again. */
  forget(): void {
    if (this.#bytes === 0) return;
    this.#parts = [];
    this.#slab = undefined;
    this.#used = this.#bytes = 0;
    this.#budget.give(this.#taken);
    this.#taken = 0;
  }

  #renew(): void {
    const { length = 0 } = this.#slab ?? {};
    this.#seal();
    this.#slab = Buffer.allocUnsafe(Math.min(Math.max(2 * length, FIRST_SLAB_BYTES), MAX_SLAB_BYTES));
  }

  #seal(): void {
    if (this.#slab && this.#used > 0) this.#parts.push(this.#slab.subarray(0, this.#used));
    this.#slab = undefined;
    this.#used = 0;
  }
}
