import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, type ConnectionOptions, createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";

import type { Result } from "#mesh/result.ts";
import type { SpiffeId, TrustDomain } from "#mesh/spiffe-id.ts";

import { verifyClient } from "../tls/client-check.ts";
import { handshakeRefusal } from "../tls/handshake-refusal.ts";
import type { VerifiedPeer } from "../tls/peer-check.ts";
import { verifyServer } from "../tls/server-check.ts";
import type { Credentials } from "../verify/credentials.ts";
import type { Refusal } from "../verify/refusal.ts";
import { exportPrivateKey } from "../x509/key-pair.ts";
import { formatCertificates, formatPem } from "../x509/pem.ts";

/** What a server made of one connection. */
export type Verdict = Result<VerifiedPeer<SpiffeId>, Refusal>;

/** A TLS server on loopback that judges its clients as the mesh does, and answers the accepted ones. */
export interface TestServer {
  readonly server: Server;
  readonly port: number;
  /** The verdict on the next connection that was not asked about yet. */
  readonly nextVerdict: () => Promise<Verdict>;
  /** Everything that clients sent and was read, refused clients' too if anybody reads it. */
  readonly received: string[];
  /** What SNI the last client sent; false for none. */
  readonly serverNames: (string | false | null)[];
  readonly close: () => Promise<void>;
}

export const ANSWER = "answer";

/** @param check what decides about a client; the mesh's own check unless a test is about its absence */
export const startServer = async (
  options: TlsOptions,
  trustDomain: TrustDomain,
  check: (socket: TLSSocket) => Verdict = (socket) => verifyClient(socket, trustDomain),
): Promise<TestServer> => {
  const verdicts: Verdict[] = [];
  const waiting: ((verdict: Verdict) => void)[] = [];
  const received: string[] = [];
  const serverNames: (string | false | null)[] = [];
  const sockets = new Set<TLSSocket>();
  const say = (verdict: Verdict): void => {
    const waiter = waiting.shift();
    if (waiter) waiter(verdict);
    else verdicts.push(verdict);
  };
  const server = createServer(options, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    serverNames.push(socket.servername);
    const verdict = check(socket);
    say(verdict);
    if (!verdict.ok) return socket.destroy();
    socket.on("data", (data: Buffer) => received.push(data.toString("latin1")));
    return socket.write(ANSWER);
  });
  server.on("tlsClientError", (error, socket) => {
    socket.destroy();
    say({ ok: false, error: handshakeRefusal(error) });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    port: (server.address() as AddressInfo).port,
    nextVerdict: () => {
      const verdict = verdicts.shift();
      if (verdict) return Promise.resolve(verdict);
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
    received,
    serverNames,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
};

/** How a dial ended. */
export interface DialOutcome {
  /** Whether the handshake finished for the client; says nothing about the server's consent. */
  readonly connected: boolean;
  /** Why the client refused, or how the connection failed; undefined after a clean end. */
  readonly refusal: Refusal | undefined;
  /** What the server sent. */
  readonly received: string;
  readonly resumed: boolean;
  /** The last session that the server offered to resume. */
  readonly session: Buffer | undefined;
}

interface DialOptions {
  /** Written at once, before the handshake, as a careless application would. */
  readonly early?: string;
  /** The server's identity is checked a second time as soon as the handshake is done. */
  readonly expected?: SpiffeId;
  /** How long to stay after the server's answer, for session tickets to arrive. */
  readonly lingerMs?: number;
}

/** Connects, waits for an answer or the end, and closes. */
export const dial = async (
  port: number,
  options: ConnectionOptions,
  { early, expected, lingerMs = 0 }: DialOptions = {},
): Promise<DialOutcome> => {
  const socket = connect({ ...options, port, host: "127.0.0.1" });
  let connected = false;
  let resumed = false;
  let refusal: Refusal | undefined;
  let received = "";
  let session: Buffer | undefined;
  socket.on("session", (offered: Buffer) => {
    session = offered;
  });
  socket.on("secureConnect", () => {
    connected = true;
    resumed = socket.isSessionReused();
    const verdict = expected && verifyServer(socket, expected);
    if (verdict && !verdict.ok) {
      refusal = verdict.error;
      socket.destroy();
    }
  });
  socket.on("error", (error) => {
    refusal = handshakeRefusal(error);
  });
  socket.on("data", (data: Buffer) => {
    received += data.toString("latin1");
    setTimeout(() => socket.end(), lingerMs);
  });
  if (early !== undefined) socket.write(early);
  // `once` would reject with the socket's error.
  await new Promise((resolve) => {
    socket.on("close", resolve);
  });
  return { connected, refusal, received, resumed, session };
};

/** A client that presents any certificates and looks at nothing. */
export const carelessClient = ({ key, chain }: Pick<Credentials, "key" | "chain">): ConnectionOptions => ({
  key: formatPem("PRIVATE KEY", exportPrivateKey(key)),
  cert: formatCertificates(chain),
  // Or OpenSSL would refuse to present a weak certificate.
  ciphers: "DEFAULT@SECLEVEL=0",
  ALPNProtocols: ["h2"],
  rejectUnauthorized: false,
});
