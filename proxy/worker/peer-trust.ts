import type { TLSSocket } from "node:tls";
import { hasTrustedRoot, type ParsedRoots, parseRoots } from "#certs/verify/trusted-root.ts";
import { fingerprintOf } from "#certs/x509/certificate.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

/** Why a connection ends whose peer was believed until now: for the access log, and for the peer. */
export const DISTRUSTED = "the root certificate above the peer's is no longer trusted";

/** What can be done about a connection. */
export interface WatchedConnection {
  /** Takes no new tunnels and ends with its last one. */
  readonly drain: () => void;
  readonly destroy: (reason: string) => void;
}

/**
 * The tunnel connections of one pod, those it made and those it took, and whether their peers are still believed. TLS asks
 * that once, at the handshake: a root that is dropped would not end what it let in.
 */
export class PeerTrust {
  readonly #peers = new Map<TLSSocket, WatchedConnection>();
  #bundle: TrustBundle | undefined;
  /** Once a root was dropped, a handshake that began before may finish after. */
  #roots: ParsedRoots | undefined;
  /** Roots that left in order: connections under them drain. */
  #retired: ParsedRoots = [];

  /** Has a connection ended as soon as its peer is not trusted any more; at once, if it is not now. */
  watch(socket: TLSSocket, connection: WatchedConnection): void {
    if (this.#roots && !isUnder(socket, this.#roots)) return connection.destroy(DISTRUSTED);
    if (socket.destroyed) return;
    this.#peers.set(socket, connection);
    socket.once("close", () => this.#peers.delete(socket));
  }

  /** What is trusted from now on. @returns how many connections were ended because their peer is not */
  trust(bundle: TrustBundle): number {
    const lost =
      this.#bundle?.roots.filter((old) => !bundle.roots.some((root) => Buffer.compare(old, root) === 0)) ?? [];
    this.#bundle = bundle;
    if (lost.length === 0 && !this.#roots) return 0;
    this.#roots = parseRoots(bundle);
    const retired = lost.filter((root) => bundle.retired?.includes(fingerprintOf(root)));
    this.#retired = [...this.#retired, ...parseRoots({ ...bundle, roots: retired })].slice(-MAX_RETIRED);
    return lost.length > 0 ? this.#judge(this.#roots) : 0;
  }

  #judge(roots: ParsedRoots): number {
    const verdicts = new Map<string, Verdict>();
    let ended = 0;
    for (const [socket, connection] of this.#peers) {
      const leaf = socket.getPeerX509Certificate()?.fingerprint256 ?? "";
      const verdict = verdicts.get(leaf) ?? this.#verdictOn(socket, roots);
      verdicts.set(leaf, verdict);
      if (verdict === "retired") connection.drain();
      if (verdict !== "distrusted") continue;
      this.#peers.delete(socket);
      ended++;
      connection.destroy(DISTRUSTED);
    }
    return ended;
  }

  #verdictOn(socket: TLSSocket, roots: ParsedRoots): Verdict {
    if (isUnder(socket, roots)) return "trusted";
    return isUnder(socket, this.#retired) ? "retired" : "distrusted";
  }
}

type Verdict = "trusted" | "retired" | "distrusted";

/** As many as a bundle has roots at most. */
const MAX_RETIRED = 16;

/** A connection whose peer cannot be asked for any more is closing, and is not to be believed either. */
const isUnder = (socket: TLSSocket, roots: ParsedRoots): boolean => {
  const leaf = socket.getPeerX509Certificate();
  return leaf !== undefined && hasTrustedRoot(leaf, roots);
};
