import type { TLSSocket } from "node:tls";
import { hasTrustedRoot, type ParsedRoots, parseRoots } from "#certs/verify/trusted-root.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

/** Why a connection ends whose peer was believed until now: for the access log, and for the peer. */
export const DISTRUSTED = "the root certificate above the peer's is no longer trusted";

/**
 * The tunnel connections of one pod, those it made and those it took, and whether their peers are still believed. TLS asks
 * that once, at the handshake: a root that is dropped would not end what it let in.
 */
export class PeerTrust {
  readonly #peers = new Map<TLSSocket, (reason: string) => void>();
  #bundle: TrustBundle | undefined;
  /** Once a root was dropped, a handshake that began before may finish after. */
  #roots: ParsedRoots | undefined;

  /** Has a connection ended as soon as its peer is not trusted any more; at once, if it is not now. */
  watch(socket: TLSSocket, end: (reason: string) => void): void {
    if (this.#roots && !isTrusted(socket, this.#roots)) return end(DISTRUSTED);
    if (socket.destroyed) return;
    this.#peers.set(socket, end);
    socket.once("close", () => this.#peers.delete(socket));
  }

  /** What is trusted from now on. @returns how many connections were ended because their peer is not */
  trust(bundle: TrustBundle): number {
    const lost = this.#bundle?.roots.some((old) => !bundle.roots.some((root) => Buffer.compare(old, root) === 0));
    this.#bundle = bundle;
    if (lost === true || this.#roots) this.#roots = parseRoots(bundle);
    return lost === true ? this.#endUntrusted(parseRoots(bundle)) : 0;
  }

  #endUntrusted(roots: ParsedRoots): number {
    const verdicts = new Map<string, boolean>();
    let ended = 0;
    for (const [socket, end] of this.#peers) {
      const leaf = socket.getPeerX509Certificate()?.fingerprint256 ?? "";
      const verdict = verdicts.get(leaf) ?? isTrusted(socket, roots);
      verdicts.set(leaf, verdict);
      if (verdict) continue;
      this.#peers.delete(socket);
      ended++;
      end(DISTRUSTED);
    }
    return ended;
  }
}

/** A connection whose peer cannot be asked for any more is closing, and is not to be believed either. */
const isTrusted = (socket: TLSSocket, roots: ParsedRoots): boolean => {
  const leaf = socket.getPeerX509Certificate();
  return leaf !== undefined && hasTrustedRoot(leaf, roots);
};
