import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { type BackoffSettings, backoffDelayMs } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import type { DiscoveryStream } from "./control-plane-client.ts";
import { RESOURCE_TYPES, type ResourceUpdate } from "./resource-store.ts";
import type { ResourceKind } from "../channel/agent-order.ts";

const BACKOFF: BackoffSettings = { firstMs: 50, maxMs: 15_000, jitter: 0.2 };
/**
 * How long a stream may take for its first response, which always comes: gRPC itself waits without end for a control plane
 * that takes connections and says nothing on them.
 */
const FIRST_RESPONSE_MS = 30_000;
/** google.rpc.Code INVALID_ARGUMENT */
const INVALID_ARGUMENT = 3;
/** Reasons in one NACK; the rest is counted. */
const MAX_REASONS = 20;

/** What the stream is told to do with what it receives. */
export interface ControlStreamHandler {
  /** Versions held of a type, to start a new stream from. */
  readonly versions: (kind: ResourceKind) => Readonly<Record<string, string>>;
  /**
   * Takes a response over. `refused`: what was bad of it. `enforced` resolves when every worker decides by the rest: that is
   * what an ACK says; it rejects when the stream ends before.
   */
  readonly receive: (update: ResourceUpdate) => {
    readonly refused: readonly string[];
    readonly enforced: Promise<void>;
  };
  /** A response without a refusal; with everything before it, it brings the agent to this version of the control plane's. */
  readonly versioned: (version: string) => void;
  readonly connected: (isConnected: boolean, problem: string | undefined) => void;
}

/**
 * The delta xDS client: one stream, each type a wildcard. It comes back after every end with what it holds, so that
 * only differences are sent; what was refused is not held.
 */
export class ControlStream {
  readonly #open: (onNewConnection: boolean) => Promise<DiscoveryStream>;
  readonly #nodeId: string;
  readonly #handler: ControlStreamHandler;
  readonly #clock: Clock;
  readonly #random: () => number;
  #stream: DiscoveryStream | undefined;
  #attempt = 0;
  /** The last one said nothing: what it was opened on is not to be trusted. */
  #wasSilent = false;
  #stopWaiting: () => void = () => undefined;

  constructor(
    open: (onNewConnection: boolean) => Promise<DiscoveryStream>,
    nodeId: string,
    handler: ControlStreamHandler,
    clock: Clock,
    random: () => number,
  ) {
    this.#open = open;
    this.#nodeId = nodeId;
    this.#handler = handler;
    this.#clock = clock;
    this.#random = random;
  }

  /** Connects, and goes on doing so. */
  start(): void {
    this.#open(this.#wasSilent).then(
      (stream) => this.#run(stream),
      (error: unknown) => this.#ended(String(error)),
    );
  }

  #run(stream: DiscoveryStream): void {
    this.#stream = stream;
    this.#wasSilent = false;
    this.#stopWaiting = this.#clock.after(FIRST_RESPONSE_MS, () => {
      this.#wasSilent = true;
      stream.cancel();
    });
    stream.on("data", (response: DeltaDiscoveryResponse) => this.#receive(stream, response));
    // The status, which always comes, says the same.
    stream.on("error", () => undefined);
    stream.once("status", ({ details }) => {
      this.#stopWaiting();
      const problem = details || "the control plane ended the stream";
      this.#ended(this.#wasSilent ? `nothing was heard for ${FIRST_RESPONSE_MS / 1000} s` : problem);
    });
    let isFirst = true;
    for (const [typeUrl, kind] of RESOURCE_TYPES) {
      const node = { id: this.#nodeId, metadata: { NODE_NAME: this.#nodeId } };
      this.#send(stream, {
        typeUrl,
        initialResourceVersions: this.#handler.versions(kind),
        ...(isFirst ? { node } : {}),
      });
      isFirst = false;
    }
  }

  #receive(stream: DiscoveryStream, response: DeltaDiscoveryResponse): void {
    this.#attempt = 0;
    this.#stopWaiting();
    this.#handler.connected(true, undefined);
    const { typeUrl, nonce, systemVersionInfo } = response;
    const kind = RESOURCE_TYPES.get(typeUrl);
    if (!kind) return this.#answer(stream, typeUrl, nonce, [`type ${typeUrl} was not asked for`]);
    const { refused, enforced } = this.#handler.receive({
      kind,
      resources: response.resources.map(({ name, version, resource }) => ({
        name,
        version,
        bytes: resource?.typeUrl === typeUrl ? resource.value : undefined,
      })),
      removed: response.removedResources,
    });
    if (refused.length > 0) return this.#answer(stream, typeUrl, nonce, refused);
    this.#handler.versioned(systemVersionInfo);
    enforced.then(
      () => this.#answer(stream, typeUrl, nonce, []),
      () => undefined,
    );
  }

  /** ACK, or NACK with reasons. */
  #answer(stream: DiscoveryStream, typeUrl: string, responseNonce: string, refused: readonly string[]): void {
    if (stream !== this.#stream) return;
    const more = refused.length > MAX_REASONS ? `; and ${refused.length - MAX_REASONS} more` : "";
    const message = `${refused.slice(0, MAX_REASONS).join("; ")}${more}`;
    const errorDetail = refused.length > 0 ? { errorDetail: { code: INVALID_ARGUMENT, message } } : {};
    this.#send(stream, { typeUrl, responseNonce, ...errorDetail });
  }

  #send(stream: DiscoveryStream, request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    stream.write(create(DeltaDiscoveryRequestSchema, request));
  }

  #ended(problem: string): void {
    this.#stream = undefined;
    this.#handler.connected(false, problem);
    this.#clock.after(backoffDelayMs(BACKOFF, this.#attempt++, this.#random), () => this.start());
  }
}
