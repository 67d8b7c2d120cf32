import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { VerifiedPeer } from "#certs/tls/peer-check.ts";
import { type ClientContext, clientContext } from "#certs/tls/tls-contexts.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import { Roster } from "#mesh/roster.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { type SpiffeId, spiffeIdOf, type TrustDomain } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import { podWorkloadUid, type Workload } from "#mesh/workload.ts";
import type { EnrolledPod } from "../channel/message.ts";
import type { OutboundKind } from "../kernel/pod-sockets.ts";
import type { TunnelServer } from "../tunnel/tunnel.ts";
import { Budget } from "./accept/budget.ts";
import { Listener } from "./accept/listener.ts";
import { type HandshakeProblem, TunnelListener } from "./decrypt/tunnel-listener.ts";
import type { Splice } from "./exchange/splice.ts";
import { ByteBudget } from "./http/byte-budget.ts";
import type { WorkerSettings } from "./settings.ts";
import { PeerTrust } from "./peer-trust.ts";
import type { Endpoint } from "./select/endpoint.ts";
import { HttpPool } from "./upstream/http-pool.ts";
import { SocketStock, type SocketStocks } from "./upstream/socket-stock.ts";
import { TunnelPool } from "./upstream/tunnel-pool.ts";
import type { ConnectionEnds } from "./vitals/tcp-labels.ts";

/** What happens on a pod's sockets; the pipeline listens. */
export interface PodEvents {
  readonly outbound: (pod: ServedPod, socket: Socket) => void;
  readonly inbound: (pod: ServedPod, socket: Socket) => void;
  readonly tunnel: (pod: ServedPod, socket: TLSSocket, peer: VerifiedPeer<SpiffeId>) => void;
  /** Somebody called the tunnel port. @returns whether the handshake may begin; if not, the connection has ended */
  readonly mayHandshake: (pod: ServedPod, socket: Socket) => boolean;
  readonly refusedHandshake: (pod: ServedPod, socket: Socket, problem: HandshakeProblem) => void;
  /** A connection came before the pod can be served, and waited long enough. */
  readonly unready: (pod: ServedPod, socket: Socket, direction: "inbound" | "outbound") => void;
  readonly needSockets: (pod: ServedPod, kind: OutboundKind, count: number) => void;
  /** So many tunnel connections ended because the roots above their peers are not trusted any more. */
  readonly distrusted: (pod: ServedPod, connections: number) => void;
  /** Told once: everything that serving the pod takes is there. */
  readonly prepared: (pod: ServedPod) => void;
  readonly listenerFailed: (pod: ServedPod, error: Error) => void;
}

/** Something that is open between a client and a server. */
export interface Exchange extends Splice {
  /** The pod is leaving this worker: it may end as soon as it is at a good place. */
  readonly retire?: () => void;
}

/** For all requests of a pod together: a pod has thousands of connections, and HTTP/2 a hundred requests on each. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/** What a pod dials tunnels with. */
export interface TunnelIdentity {
  readonly context: ClientContext;
  readonly generation: number;
}

/** A pod that this worker is the home of. */
export class ServedPod {
  readonly slot: number;
  readonly pod: EnrolledPod;
  readonly identity: SpiffeId;
  readonly stocks: SocketStocks;
  readonly tunnels: TunnelPool;
  /** Everybody at the other end of a tunnel connection, made or taken. */
  readonly peers = new PeerTrust();
  readonly connections: Budget;
  readonly tunnelConnections: Budget;
  /** Tunnel connections that others made to this pod. */
  readonly servers = new Set<TunnelServer>();
  readonly exchanges = new Roster<Exchange>();
  /** Content of requests that may have to be sent again. */
  readonly kept = new ByteBudget(MAX_KEPT_BYTES);
  /** HTTP connections to endpoints. */
  readonly http: HttpPool;
  /** Who the ends of requests to an endpoint are: each request asks. */
  readonly requestEnds = new WeakMap<Endpoint, ConnectionEnds>();
  readonly #workloadUid: string;
  readonly #settings: WorkerSettings;
  readonly #events: PodEvents;
  readonly #gone = new AbortController();
  readonly #listeners: readonly [outbound: Listener, inbound: Listener, tunnel: Listener];
  #workload: Workload | undefined;
  #tunnelListener: TunnelListener | undefined;
  #dialAs: TunnelIdentity | undefined;
  #credentials: Credentials | undefined;
  #bundle: TrustBundle | undefined;
  #isPrepared = false;
  #isLeaving = false;

  /**
   * @param descriptors the listening sockets: outbound, inbound, tunnel
   * @param isHeld nothing is accepted on them before {@link accept}
   */
  constructor(
    slot: number,
    pod: EnrolledPod,
    descriptors: readonly number[],
    isHeld: boolean,
    settings: WorkerSettings,
    now: () => number,
    events: PodEvents,
  ) {
    this.slot = slot;
    this.pod = pod;
    this.identity = podIdentity(settings.trustDomain, pod);
    this.#workloadUid = podWorkloadUid(settings.cluster, pod.namespace, pod.name);
    this.#settings = settings;
    this.#events = events;
    this.stocks = {
      direct: new SocketStock((count) => events.needSockets(this, "direct", count)),
      local: new SocketStock((count) => events.needSockets(this, "local", count)),
    };
    this.tunnels = new TunnelPool(now);
    this.http = new HttpPool(now);
    this.connections = new Budget(settings.accept.maxConnectionsPerPod);
    this.tunnelConnections = new Budget(settings.decrypt.maxTunnelConnectionsPerPod);
    const [outbound = -1, inbound = -1, tunnel = -1] = descriptors;
    this.#listeners = [
      this.#listener(outbound, isHeld, "outbound", (socket) => events.outbound(this, socket)),
      this.#listener(inbound, isHeld, "inbound", (socket) => events.inbound(this, socket)),
      this.#listener(tunnel, isHeld, "tunnel", (socket) => {
        if (events.mayHandshake(this, socket)) this.#tunnelListener?.accept(socket);
      }),
    ];
  }

  /** Aborted when the pod is let go of: whoever dials for it stops. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** To be asked after every wait: what was begun for the pod must not outlive it, or its namespace could not end. */
  get isGone(): boolean {
    return this.#gone.signal.aborted;
  }

  get isServing(): boolean {
    return this.#listeners.every(({ isServing }) => isServing);
  }

  /** The pod's own record, once it came and fits. */
  get workload(): Workload | undefined {
    return this.#workload;
  }

  get dialAs(): TunnelIdentity | undefined {
    return this.#dialAs;
  }

  /**
   * Takes over what is new, and starts serving when everything is there: the pod's record, its certificate and what verifies
   * others. All of it is kept when a part goes away again, except that nothing is served for another pod's record.
   */
  refresh(snapshot: Snapshot, credentials: Credentials | undefined): void {
    const workload = sharedGet(snapshot.workloads, this.#workloadUid);
    if (workload && isRecordOf(workload, this.pod)) this.#workload = workload;
    const bundle = snapshot.bundles.get(this.#settings.trustDomain);
    if (credentials && bundle) this.#renew(credentials, bundle);
    if (!this.#workload || !this.#tunnelListener) return;
    for (const listener of this.#listeners) listener.start();
    if (!this.#isPrepared && !this.isGone) this.#events.prepared(this);
    this.#isPrepared = true;
  }

  /** Nobody else accepts its connections any more. */
  accept(): void {
    for (const listener of this.#listeners) listener.release();
  }

  /** Whether what is open here shall end soon: others accept its connections now, or it will be gone. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Others accept its connections from now on: what is open goes on, and says to everybody that there will be no more. */
  retire(): void {
    for (const listener of this.#listeners) listener.close();
    this.drain();
    this.tunnels.drain();
    this.http.drain();
  }

  /** Connections that have not ended yet: captured ones and tunnels, and what carries tunnels. */
  get remaining(): { readonly connections: number; readonly carriers: number } {
    const carriers = (this.#tunnelListener?.open ?? 0) + this.tunnels.size;
    return { connections: this.connections.used, carriers };
  }

  /** Ends in order what is open. */
  endExchanges(): void {
    for (const exchange of this.exchanges) exchange.drain();
  }

  /** Says to everybody with a tunnel to this pod, or with HTTP, that it ends soon. */
  drain(): void {
    this.#isLeaving = true;
    for (const exchange of this.exchanges) exchange.retire?.();
    for (const server of this.servers) server.drain();
  }

  close(): void {
    this.#gone.abort();
    for (const listener of this.#listeners) listener.close();
    this.#tunnelListener?.close();
    for (const exchange of this.exchanges) exchange.stop();
    for (const server of this.servers) server.destroy("the pod is gone");
    this.http.close();
    this.tunnels.close();
    this.stocks.direct.close();
    this.stocks.local.close();
  }

  #renew(credentials: Credentials, bundle: TrustBundle): void {
    if (credentials === this.#credentials && bundle === this.#bundle) return;
    const { maxHandshakesPerPod } = this.#settings.decrypt;
    this.#dialAs = { context: clientContext(credentials, bundle), generation: (this.#dialAs?.generation ?? 0) + 1 };
    this.tunnels.retire(this.#dialAs.generation);
    if (this.#tunnelListener) this.#tunnelListener.renew(credentials, bundle);
    else {
      this.#tunnelListener = new TunnelListener(credentials, bundle, maxHandshakesPerPod, {
        onPeer: (socket, peer) => this.#events.tunnel(this, socket, peer),
        onRefused: (socket, problem) => this.#events.refusedHandshake(this, socket, problem),
      });
    }
    const distrusted = this.peers.trust(bundle);
    if (distrusted > 0) this.#events.distrusted(this, distrusted);
    [this.#credentials, this.#bundle] = [credentials, bundle];
  }

  #listener(
    descriptor: number,
    isHeld: boolean,
    kind: "outbound" | "inbound" | "tunnel",
    onConnection: (socket: Socket) => void,
  ): Listener {
    return new Listener(descriptor, {
      startWaitMs: this.#settings.accept.startWaitMs,
      isHeld,
      isCaptured: kind !== "tunnel",
      onConnection,
      onRefused: (socket) => this.#events.unready(this, socket, kind === "outbound" ? "outbound" : "inbound"),
      onError: (error) => this.#events.listenerFailed(this, error),
    });
  }
}

/** The identity of a pod comes from the namespace that its sockets are in, as the enroller named it; never from an address. */
const podIdentity = (trustDomain: TrustDomain, { namespace, serviceAccount }: EnrolledPod): SpiffeId =>
  spiffeIdOf({ trustDomain, namespace, serviceAccount });

/** A pod of the same name may have been another: its record must have this one's address and service account. */
const isRecordOf = (workload: Workload, pod: EnrolledPod): boolean =>
  workload.serviceAccount === pod.serviceAccount &&
  workload.addresses.some((address: IpAddress) => pod.addresses.includes(address));
