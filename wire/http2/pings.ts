import type { Output } from "../output.ts";
import { appendPing } from "./frames/ping.ts";

/** What we want to know with a PING: whether the peer is there, how long a round trip is, whether it has read our GOAWAY. */
export type PingPurpose = "keep-alive" | "probe" | "drain";

const PURPOSES: readonly PingPurpose[] = ["keep-alive", "probe", "drain"];

/** Our own PING frames (RFC 9113 section 6.7). The first byte says their purpose. */
export class Pings {
  /** Sent and not answered. */
  #open: PingPurpose[] = [];

  send(output: Output, purpose: PingPurpose): void {
    this.#open.push(purpose);
    appendPing(output, Uint8Array.of(PURPOSES.indexOf(purpose), 0, 0, 0, 0, 0, 0, 0), false);
  }

  /** @returns what was asked; undefined where nothing was */
  answered(payload: Uint8Array): PingPurpose | undefined {
    const purpose = PURPOSES[payload[0] as number];
    const at = purpose ? this.#open.indexOf(purpose) : -1;
    if (at === -1) return undefined;
    this.#open.splice(at, 1);
    return purpose;
  }
}
