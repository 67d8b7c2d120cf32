import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import type { Clock } from "#mesh/clock.ts";
import type { Catalog, CatalogChange } from "../publish/catalog.ts";
import { errorText, type Log } from "../log.ts";
import { type Authenticate, NOT_AUTHENTICATED } from "./authenticate.ts";
import { DiscoveryStream } from "./discovery-stream.ts";
import type { JoinedNode } from "./join-tokens.ts";
import type { NodeConnection, NodeRegistry } from "./node-registry.ts";
import type { RefusalLog } from "./refusal-log.ts";
import { type RateLimit, TokenBucket } from "./token-bucket.ts";

export type DiscoveryCall = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** Each request costs a comparison; a node needs one for each response, and a few at the start. */
const REQUEST_LIMIT: RateLimit = { burst: 1_000, perSecond: 100 };

/** Tells the two sets of processes that a node has during an upgrade apart; all calls of one say the same. */
const INSTANCE_HEADER = "heddle-instance";
const MAX_INSTANCE_LENGTH = 64;

export interface DiscoveryDependencies {
  readonly authenticate: Authenticate;
  /** Where callers are told of that are no nodes. */
  readonly strangers: RefusalLog;
  readonly catalog: Catalog;
  readonly nodes: NodeRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

/** Serves the control streams of nodes. */
export class DiscoveryService {
  readonly #deps: DiscoveryDependencies;

  constructor(deps: DiscoveryDependencies) {
    this.#deps = deps;
  }

  /** Handler of `DeltaAggregatedResources`. Never throws: what goes wrong ends this stream and no other. */
  readonly serve = (call: DiscoveryCall): void => {
    // Before anything can fail: an 'error' of a call without a listener would end the process.
    call.on("error", () => {});
    this.#open(call).catch((error: unknown) => {
      this.#deps.log.error({ error: errorText(error) }, "opening a control stream failed");
      endCall(call, status.INTERNAL, "internal error");
    });
  };

  /** Tells every node what is different. */
  publish(change: CatalogChange): void {
    for (const { stream, end } of this.#deps.nodes.connected()) {
      try {
        stream.changed(change);
      } catch (error) {
        this.#deps.log.error({ node: stream.node, error: errorText(error) }, "publishing to a node failed");
        end("internal error");
      }
    }
  }

  /** Ends all streams; nodes come back when somebody listens again. */
  stop(): void {
    for (const { end } of this.#deps.nodes.connected()) end("the control plane is stopping");
  }

  async #open(call: DiscoveryCall): Promise<void> {
    const { authenticate, strangers } = this.#deps;
    const joined = await authenticate(call.metadata);
    if (call.cancelled) return;
    if (joined.ok) this.#join(call, joined.value);
    else {
      const facts = { peer: call.getPeer(), reason: joined.error };
      strangers.refused(facts, "refused a control stream: the caller is no node");
      endCall(call, status.UNAUTHENTICATED, NOT_AUTHENTICATED);
    }
  }

  #join(call: DiscoveryCall, { node, expiresAt }: JoinedNode): void {
    const { catalog, nodes, clock, log } = this.#deps;
    const stream = new DiscoveryStream(node, catalog, (response) => void (call.writableEnded || call.write(response)));
    const connection: NodeConnection = {
      stream,
      instance: String(call.metadata.get(INSTANCE_HEADER)[0] ?? "").slice(0, MAX_INSTANCE_LENGTH),
      address: call.getPeer(),
      end: (reason) => endCall(call, status.UNAVAILABLE, reason),
    };
    const cancelExpiry = clock.after(expiresAt - clock.now(), () =>
      endCall(call, status.UNAUTHENTICATED, "the join token has expired: come back with a new one"),
    );
    const leave = (): void => {
      cancelExpiry();
      if (nodes.disconnect(connection)) log.info({ node }, `node ${node} disconnected`);
    };
    call.on("cancelled", leave);
    call.on("close", leave);
    call.on("error", leave);
    call.on("end", () => call.end());
    nodes.connect(connection);
    log.info({ node, peer: connection.address }, `node ${node} connected`);
    this.#read(call, stream);
  }

  #read(call: DiscoveryCall, stream: DiscoveryStream): void {
    const { clock, log } = this.#deps;
    const limit = new TokenBucket(REQUEST_LIMIT, clock);
    const refuse = (code: status, reason: string): void => {
      log.warn({ node: stream.node, reason }, `ended the control stream of node ${stream.node}: ${reason}`);
      endCall(call, code, reason);
    };
    call.on("data", (request: DeltaDiscoveryRequest) => {
      if (call.writableEnded) return;
      if (!limit.take())
        return refuse(status.RESOURCE_EXHAUSTED, `more than ${REQUEST_LIMIT.perSecond} requests a second`);
      try {
        this.#logRefusal(stream.node, request);
        const handled = stream.handle(request);
        if (!handled.ok) refuse(status.INVALID_ARGUMENT, handled.error);
      } catch (error) {
        log.error({ node: stream.node, error: errorText(error) }, "a request of a node failed");
        refuse(status.INTERNAL, "internal error");
      }
    });
  }

  #logRefusal(node: string, { typeUrl, errorDetail }: DeltaDiscoveryRequest): void {
    if (!errorDetail) return;
    const reason = errorDetail.message.slice(0, 1024);
    this.#deps.log.warn({ node, type: typeUrl, reason }, `node ${node} refused ${typeUrl}: ${reason}`);
  }
}

/** Ends a call with a status. grpc-js does so when the call, which is a stream, has an error. */
const endCall = (call: DiscoveryCall, code: status, details: string): void => {
  call.emit("error", { code, details });
};
