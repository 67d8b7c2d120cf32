import type { Socket } from "node:net";
import type { Place } from "#mesh/roster.ts";
import { portKey } from "#mesh/routes/route-table.ts";
import { serviceName } from "#mesh/service.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { ByteStream } from "../tunnel/byte-stream.ts";
import type { Reachable } from "./connect-destination.ts";
import { type Expected, expectedAt, expectedOn, type Spoken, spokenIn } from "./exchange/expected-protocol.ts";
import { EndedStream, type OnFirstBytes, SocketPeek } from "./exchange/first-bytes.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Exchange, ServedPod } from "./served-pod.ts";

/**
 * How long a client may be silent on a port of which nothing is declared, before its server is given the word. Whoever speaks first
 * does so at once, as it is connected to us without a way between; every call of a protocol in which the server begins waits so long.
 */
const SILENCE_MS = 25;
/** How long the first bytes may take to be enough, after the first of them. */
const FIRST_BYTES_MS = 10_000;

/** What is to be expected from a pod that calls. */
export const expectedOutbound = ({ routes }: Snapshot, destination: Reachable): Expected => {
  // Nothing is decided by what is said to strangers.
  if (destination.kind === "unknown") return "opaque";
  if (destination.kind === "workload") return expectedAt(destination.workload, destination.called.port);
  const { service, port } = destination;
  return expectedOn(port.protocol, sharedGet(routes, portKey(serviceName(service), port.port)) !== undefined);
};

/**
 * What a client that was captured speaks. Where nothing is declared, a client that says nothing for {@link SILENCE_MS} waits for
 * its server to speak first, and is served as bytes.
 */
export const firstOfClient = async (
  { settings }: Pipeline,
  pod: ServedPod,
  socket: Socket,
  client: ByteStream,
  expected: Exclude<Expected, "opaque">,
): Promise<{ readonly spoken: Spoken | "nothing"; readonly client: ByteStream }> => {
  const isUnknown = expected === "unknown";
  const first = await new Promise<First>((resolve) => {
    const silenceMs = isUnknown ? SILENCE_MS : settings.exchange.idleTimeoutMs;
    const listening = new Listening(pod, expected, silenceMs, isUnknown ? "opaque" : "nothing", resolve);
    listening.client = new SocketPeek(socket, listening.onClient);
  });
  return { spoken: first.spoken, client: first.hasEnded ? new EndedStream(client, first.bytes) : client };
};

/** What was spoken first. */
export interface First {
  /** `nothing`: the time was over, or the pod's. */
  readonly spoken: Spoken | "nothing";
  /** Of the client. */
  readonly bytes: Uint8Array;
  /** Whether the client has ended with them. */
  readonly hasEnded: boolean;
  /** What an application said that ended at once. */
  readonly lastOfApplication: Uint8Array | undefined;
}

/**
 * What is spoken between a client and an application that is connected: whoever speaks first decides. An application that speaks
 * before it was asked speaks no HTTP.
 */
export const firstOfBoth = (
  { settings }: Pipeline,
  pod: ServedPod,
  expected: Expected,
  application: Socket,
  peekClient: (onBytes: OnFirstBytes) => { stop(): void },
): Promise<First> =>
  new Promise((resolve) => {
    const listening = new Listening(pod, expected, settings.exchange.idleTimeoutMs, "nothing", resolve);
    listening.client = peekClient(listening.onClient);
    if (listening.isOver || expected !== "unknown") return;
    listening.application = new SocketPeek(application, (bytes, hasEnded) =>
      listening.over("opaque", hasEnded ? bytes : undefined),
    );
  });

/** Waits for first bytes, for a bounded time, and as long as the pod is there. */
class Listening {
  client: { stop(): void } | undefined;
  application: { stop(): void } | undefined;
  isOver = false;
  readonly #pod: ServedPod;
  readonly #expected: Expected;
  readonly #resolve: (first: First) => void;
  readonly #place: Place<Exchange>;
  #bytes: Uint8Array = new Uint8Array(0);
  #hasEnded = false;
  #timer: NodeJS.Timeout;

  /** @param silence what it means when nobody has said anything for so long */
  constructor(
    pod: ServedPod,
    expected: Expected,
    silenceMs: number,
    silence: "opaque" | "nothing",
    resolve: (first: First) => void,
  ) {
    this.#pod = pod;
    this.#expected = expected;
    this.#resolve = resolve;
    const stop = (): void => void this.over("nothing");
    this.#place = pod.exchanges.add({ stop, drain: stop });
    this.#timer = setTimeout(() => this.over(silence), silenceMs);
  }

  readonly onClient: OnFirstBytes = (bytes, hasEnded) => {
    if (this.isOver) return true;
    if (this.#bytes.length === 0 && bytes.length > 0) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.over(this.#expected === "http" ? "http1" : "opaque"), FIRST_BYTES_MS);
    }
    this.#bytes = bytes;
    this.#hasEnded = hasEnded;
    const spoken = spokenIn(this.#expected, bytes, hasEnded);
    if (spoken === undefined) return false;
    this.over(spoken);
    return true;
  };

  /** Says what it is, once. */
  over(spoken: First["spoken"], lastOfApplication?: Uint8Array): boolean {
    if (this.isOver) return true;
    this.isOver = true;
    clearTimeout(this.#timer);
    this.#pod.exchanges.delete(this.#place);
    this.client?.stop();
    this.application?.stop();
    this.#resolve({ spoken, bytes: this.#bytes, hasEnded: this.#hasEnded, lastOfApplication });
    return true;
  }
}
