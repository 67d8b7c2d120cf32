import type { Output } from "../output.ts";
import { ERROR_CODE } from "./error-code.ts";
import { appendGoAway, type GoAway } from "./frames/goaway.ts";
import { Http2ConnectionError } from "./http2-error.ts";
import { MAX_WINDOW } from "./settings.ts";

/**
 * Who takes no more streams, and since when (RFC 9113 section 6.8). We say it in two steps: the peer learns it with a GOAWAY that
 * excludes nothing, and only when it has read that, with one that excludes what it opens from now on, so that no request is lost.
 */
export class GoingAway {
  #sent: "nothing" | "announced" | "concluded" = "nothing";
  #received: GoAway | undefined;
  /** Streams of the peer's above it are not looked at: we said so. */
  #lastAcceptedId = MAX_WINDOW;

  /** Whether either side has said that there are no streams to come. */
  get hasBegun(): boolean {
    return this.#sent !== "nothing" || this.#received !== undefined;
  }

  /** Whether the peer knows which of its streams we took. */
  get isConcluded(): boolean {
    return this.#sent === "concluded";
  }

  get received(): GoAway | undefined {
    return this.#received;
  }

  accepts(streamId: number): boolean {
    return streamId <= this.#lastAcceptedId;
  }

  /** The first step. @returns false where it was done before */
  announce(output: Output): boolean {
    if (this.#sent !== "nothing") return false;
    this.#sent = "announced";
    appendGoAway(output, { lastStreamId: MAX_WINDOW, code: ERROR_CODE.noError, debug: "" });
    return true;
  }

  /** The second step, when the peer has read the first one. */
  conclude(output: Output, lastPeerId: number): void {
    if (this.#sent === "announced") this.end(output, lastPeerId, ERROR_CODE.noError, "");
  }

  /** Both steps at once. The last stream never rises again. */
  end(output: Output, lastPeerId: number, code: number, debug: string): void {
    this.#sent = "concluded";
    this.#lastAcceptedId = Math.min(this.#lastAcceptedId, lastPeerId);
    appendGoAway(output, { lastStreamId: this.#lastAcceptedId, code, debug });
  }

  /** @throws Http2ConnectionError */
  receive(goAway: GoAway): void {
    if (this.#received && goAway.lastStreamId > this.#received.lastStreamId) {
      throw new Http2ConnectionError(ERROR_CODE.protocolError, "GOAWAY with a higher last stream than before");
    }
    this.#received = goAway;
  }
}
