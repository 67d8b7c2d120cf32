import { Server, type ServerCredentials } from "@grpc/grpc-js";
import { certificateService, discoveryService } from "#api/services.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import { errorText } from "../log.ts";
import type { CertificateService } from "./certificate-service.ts";
import type { DiscoveryService } from "./discovery-service.ts";

/** The largest request is the first after a reconnect: the names and versions of everything that a node holds. */
const MAX_REQUEST_BYTES = 16 * 2 ** 20;
/** A node has one control stream and asks for eight certificates at a time. */
const MAX_CONCURRENT_CALLS = 128;
/** How long the last words may take. */
const SHUTDOWN_MS = 1_000;

const OPTIONS = {
  "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
  "grpc.max_send_message_length": -1,
  "grpc.max_concurrent_streams": MAX_CONCURRENT_CALLS,
  // A node that fell silent is noticed in 40 s, not in the quarter of an hour that TCP takes.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.enable_channelz": 0,
} as const;

/** The services of the control plane on one TLS port. */
export class GrpcServer {
  readonly #server = new Server(OPTIONS);
  readonly #discovery: DiscoveryService;

  constructor(discovery: DiscoveryService, certificates: CertificateService) {
    this.#discovery = discovery;
    this.#server.addService(discoveryService, { DeltaAggregatedResources: discovery.serve });
    this.#server.addService(certificateService, { CreateCertificate: certificates.serve });
  }

  /** @returns the address, with the port that was chosen where 0 was asked for */
  async listen(address: SocketAddress, credentials: ServerCredentials): Promise<Result<SocketAddress, string>> {
    const target = formatSocketAddress(address);
    return new Promise((resolve) => {
      this.#server.bindAsync(target, credentials, (error, port) => {
        resolve(error ? err(`cannot listen on ${target}: ${errorText(error)}`) : ok({ ...address, port }));
      });
    });
  }

  /** Ends the streams with a reason, then the connections. */
  async stop(): Promise<void> {
    this.#discovery.stop();
    const timer = setTimeout(() => this.#server.forceShutdown(), SHUTDOWN_MS);
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
    });
    clearTimeout(timer);
  }
}
