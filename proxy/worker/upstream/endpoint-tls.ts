import type { Socket } from "node:net";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { HANDSHAKE_TIMEOUT_MS } from "#certs/tls/tls-contexts.ts";
import { endpointNamesProblem } from "#certs/verify/endpoint-names.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import type { BackendTls } from "#mesh/routes/backend-policy.ts";

/** Why an endpoint outside the mesh was not reached as a BackendTLSPolicy demands. */
export class EndpointTlsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "EndpointTlsError";
  }
}

/**
 * Encrypts a connection to an endpoint outside the mesh: TLS 1.2 or later, trusting the authorities of the policy and no others.
 * No certificate of ours is shown.
 * @param socket connected; closed where this fails
 * @param protocol that is to be spoken, offered by ALPN
 * @throws EndpointTlsError
 */
export const secureEndpoint = (
  socket: Socket,
  tls: BackendTls,
  protocol: "h2" | "http/1.1",
  signal: AbortSignal,
): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    if (tls.kind === "unusable") {
      socket.destroy();
      return reject(new EndpointTlsError(tls.reason));
    }
    const { hostname, subjectAltNames } = tls;
    const secure = connect({
      socket,
      secureContext: contextOf(tls),
      servername: hostname,
      ALPNProtocols: [protocol],
      rejectUnauthorized: true,
      checkServerIdentity: (_host, { raw }) => {
        const problem = endpointNamesProblem(raw, hostname, subjectAltNames);
        return problem === undefined ? undefined : new Error(problem);
      },
    });
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      secure.off("close", onClose);
    };
    const fail = (message: string): void => {
      settle();
      secure.destroy();
      socket.destroy();
      reject(new EndpointTlsError(message));
    };
    const onAbort = (): void => fail("whoever asked for it is gone");
    const onClose = (): void => fail("the connection ended within the TLS handshake");
    const timer = setTimeout(() => fail(`no TLS handshake within ${HANDSHAKE_TIMEOUT_MS} ms`), HANDSHAKE_TIMEOUT_MS);
    // It stays: whoever takes the socket over listens too late for some errors.
    secure.on("error", (error) => fail(`TLS with ${hostname} failed: ${error.message}`));
    secure.once("close", onClose);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    secure.once("secureConnect", () => {
      if (protocol === "h2" && secure.alpnProtocol !== "h2") return fail(`${hostname} does not speak HTTP/2 over TLS`);
      settle();
      resolve(secure);
    });
  });

/** Tells connections apart that were made under different policies. The same as long as the policy is. */
export const tlsKey = (tls: BackendTls): string => String(keys.getOrInsertComputed(tls, () => ++lastKey));

let lastKey = 0;
const keys = new WeakMap<BackendTls, number>();

const contextOf = (tls: BackendTls & { readonly kind: "verified" }): SecureContext =>
  contexts.getOrInsertComputed(tls, () =>
    createSecureContext({ ca: formatCertificates(tls.roots), minVersion: "TLSv1.2" }),
  );

const contexts = new WeakMap<BackendTls, SecureContext>();
