import { readFile } from "node:fs/promises";
import { constants } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { createSecureContext } from "node:tls";
import {
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { certificateService, discoveryService } from "#api/services.ts";
import { create } from "@bufbuild/protobuf";
import { IstioCertificateRequestSchema } from "#api/gen/istio/v1/auth/ca_pb.js";
import { withClockHint } from "./clock-hint.ts";
import type { AgentSettings } from "./settings.ts";

/** A push of everything at once may be large; ztunnel takes as much. */
const MAX_MESSAGE_BYTES = 200 * 1024 * 1024;
/** A control plane that hangs is noticed within twice this. */
const KEEPALIVE_MS = 10_000;
/** A certificate is signed in milliseconds; X-14: a CA that takes longer is treated as one that is down. */
const SIGN_TIMEOUT_MS = 10_000;

const OPTIONS: ClientOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_MS,
  "grpc.keepalive_permit_without_calls": 1,
  // We do our own waiting between attempts, and say what went wrong.
  "grpc.enable_retries": 0,
};

export type DiscoveryStream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** What the control plane is to sign. */
export interface SigningRequest {
  /** PKCS#10, PEM. */
  readonly csr: string;
  readonly identity: string;
  readonly lifetimeMs: number;
  /** Who on this node will hold it; a new certificate for the same holder and identity replaces the older one. */
  readonly holder: string;
}

/** The control plane as the agent calls it. Each call proves this node by its join token. */
export class ControlPlaneClient {
  readonly #settings: AgentSettings["controlPlane"];
  readonly #cluster: string;
  readonly #extraRoots: () => string;
  #client: { readonly grpc: Client; readonly roots: string } | undefined;
  /** Connections with earlier roots, which the control stream may still be using. */
  readonly #older: Client[] = [];
  /** Connections to the control plane: gRPC does not close one that hangs in its handshake, and they would add up. */
  readonly #sockets = new Set<Socket>();

  /** @param extraRoots PEM of the roots that the control stream brought, newer than the file perhaps */
  constructor(settings: AgentSettings, extraRoots: () => string) {
    this.#settings = settings.controlPlane;
    this.#cluster = settings.cluster;
    this.#extraRoots = extraRoots;
    subscribe("net.client.socket", (message) => this.#watch((message as { readonly socket: Socket }).socket));
  }

  /**
   * Opens the control stream; there is none at the moment.
   * @param onNewConnection gives up the one there is, on which nothing is heard
   * @throws Error if a file cannot be read
   */
  async openDiscovery(onNewConnection: boolean): Promise<DiscoveryStream> {
    for (const client of this.#older.splice(0)) client.close();
    if (onNewConnection) {
      this.#client?.grpc.close();
      this.#client = undefined;
      for (const socket of this.#sockets) socket.destroy();
    }
    const { path, requestSerialize, responseDeserialize } = discoveryService.DeltaAggregatedResources;
    const [client, metadata] = await Promise.all([this.#connect(), this.#metadata()]);
    return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  }

  /**
   * Has a certificate signed.
   * @returns PEM: leaf, intermediates, and last the roots
   * @throws Error saying what the control plane answered
   */
  async sign({ csr, identity, lifetimeMs, holder }: SigningRequest): Promise<readonly string[]> {
    const method = certificateService.CreateCertificate;
    const [client, metadata] = await Promise.all([this.#connect(), this.#metadata()]);
    const request = create(IstioCertificateRequestSchema, {
      csr,
      validityDuration: BigInt(Math.round(lifetimeMs / 1000)),
      metadata: { ImpersonatedIdentity: identity, Holder: holder },
    });
    const answer = await unary(client, method, request, metadata);
    return answer.certChain;
  }

  /**
   * One connection for everything, made anew when the roots to verify it with have changed. The control stream stays on the
   * older one until it ends.
   */
  async #connect(): Promise<Client> {
    const roots = distinctCertificates(`${await readFile(this.#settings.rootsFile, "utf8")}\n${this.#extraRoots()}`);
    if (this.#client?.roots === roots) return this.#client.grpc;
    const secureContext = createSecureContext({
      ca: roots,
      minVersion: "TLSv1.3",
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    const grpc = new Client(this.#settings.address, credentials.createFromSecureContext(secureContext), {
      ...OPTIONS,
      "grpc.ssl_target_name_override": this.#settings.name,
      "grpc.default_authority": this.#settings.name,
    });
    if (this.#client) this.#older.push(this.#client.grpc);
    this.#client = { grpc, roots };
    return grpc;
  }

  #watch(socket: Socket): void {
    socket.once("connect", () => {
      if (this.#settings.address.endsWith(`:${socket.remotePort}`)) this.#sockets.add(socket);
    });
    socket.once("close", () => this.#sockets.delete(socket));
  }

  async #metadata(): Promise<Metadata> {
    const metadata = new Metadata();
    const token = await readFile(this.#settings.joinTokenFile, "utf8");
    metadata.set("authorization", `Bearer ${token.trim()}`);
    metadata.set("clusterid", this.#cluster);
    metadata.set("heddle-instance", this.#settings.instance);
    return metadata;
  }
}

/** The certificates of a PEM text, each once and in one order, so that the same roots are the same text. */
const distinctCertificates = (pem: string): string =>
  [...new Set(pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g))].sort().join("\n");

const unary = <Request, Response>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
  request: Request,
  metadata: Metadata,
): Promise<Response> =>
  new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + SIGN_TIMEOUT_MS };
    const onAnswer = (error: ServiceError | null, answer?: Response): void => {
      if (error) reject(new Error(withClockHint(error.details || error.message, Date.now())));
      else if (answer === undefined) reject(new Error("an answer without a message"));
      else resolve(answer);
    };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, onAnswer);
  });
