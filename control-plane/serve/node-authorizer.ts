import { err, ok, type Result } from "#mesh/result.ts";
import { identityOf, type SpiffeId, type TrustDomain } from "#mesh/spiffe-id.ts";

/** Whether a pod with this service account that has not ended is scheduled on a node. */
export type IsScheduled = (node: string, namespace: string, serviceAccount: string) => boolean;

/**
 * Whether a node may have a certificate for an identity: it must be of this trust domain, and of the service account of a pod
 * that is scheduled on that very node. A node that is taken over can be its own pods, and nobody else's.
 * @returns why not, for the log: the caller must not learn where other pods run
 */
export const authorizeNode = (
  node: string,
  id: SpiffeId,
  trustDomain: TrustDomain,
  isScheduled: IsScheduled,
): Result<undefined, string> => {
  const asked = identityOf(id);
  if (asked.trustDomain !== trustDomain) return err(`trust domain ${asked.trustDomain} is not ${trustDomain}`);
  return isScheduled(node, asked.namespace, asked.serviceAccount)
    ? ok(undefined)
    : err(`no pod with service account ${asked.namespace}/${asked.serviceAccount} is scheduled on ${node}`);
};
