import { fingerprintOf } from "#certs/x509/certificate.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import { encodeTrustBundle } from "../publish/encode-trust-bundle.ts";

/** Bundles that nodes may still hold while newer ones are out. */
const MAX_BUNDLES = 16;

/** Which roots are in a bundle that a node accepted, known by the version it was published under. */
export class KnownRoots {
  readonly #roots = new Map<string, ReadonlySet<string>>();

  add(bundle: TrustBundle): void {
    const { version } = encodeTrustBundle(bundle);
    this.#roots.delete(version);
    this.#roots.set(version, new Set(bundle.roots.map(fingerprintOf)));
    const [oldest] = this.#roots.keys();
    if (this.#roots.size > MAX_BUNDLES && oldest !== undefined) this.#roots.delete(oldest);
  }

  /** SHA-256 of each root, lower-case hex; none for a version that nobody remembers. */
  rootsOf(version: string | undefined): ReadonlySet<string> {
    return this.#roots.get(version ?? "") ?? new Set();
  }
}
