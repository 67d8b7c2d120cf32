import { ServerCredentials } from "@grpc/grpc-js";
import type { SecureContextOptions } from "node:tls";
import { HANDSHAKE_TIMEOUT_MS } from "#certs/tls/tls-contexts.ts";

/** Credentials of a gRPC server whose certificate can be replaced while it serves. */
export class RenewableCredentials extends ServerCredentials {
  constructor(options: SecureContextOptions) {
    super({ handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, options);
  }

  /** New connections get the new certificate; those that are open keep what they have verified. */
  renew(options: SecureContextOptions): void {
    this.updateSecureContextOptions(options);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
