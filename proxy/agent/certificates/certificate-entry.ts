import type { Credentials } from "#certs/verify/credentials.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";

/** An identity as one worker holds it: every home has a key of its own. */
export interface CertificateOwner {
  readonly identity: SpiffeId;
  readonly worker: number;
}

/** What the manager knows of one owner's certificate. */
export interface Entry {
  readonly owner: CertificateOwner;
  credentials: Credentials | undefined;
  renewAt: number | undefined;
  failures: number;
  lastError: string | undefined;
  /** The CA is being asked. */
  isRequested: boolean;
  cancel: () => void;
}
