import { create } from "@bufbuild/protobuf";
import { type sendUnaryData, type ServerUnaryCall, status } from "@grpc/grpc-js";
import {
  type IstioCertificateRequest,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
} from "#api/gen/istio/v1/auth/ca_pb.js";
import type { CertificateAuthority } from "#certs/issue/certificate-authority.ts";
import { formatIssuedChain } from "#certs/issue/issued-chain.ts";
import { fingerprintOf, parseCertificate } from "#certs/x509/certificate.ts";
import type { Clock } from "#mesh/clock.ts";
import { err, ok, type Result, unwrap } from "#mesh/result.ts";
import { errorText, type Log } from "../log.ts";
import { MAX_LEAF_LIFETIME_MS } from "../settings.ts";
import { type Authenticate, NOT_AUTHENTICATED } from "./authenticate.ts";
import { type AskedCertificate, readCertificateRequest } from "./certificate-request.ts";
import { authorizeNode, type IsScheduled } from "./node-authorizer.ts";
import type { RefusalLog } from "./refusal-log.ts";
import { type RateLimit, TokenBucket } from "./token-bucket.ts";

export type CertificateCall = ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>;

/**
 * A node with 250 pods and four workers asks for at most 1,000 certificates when it starts. After that half a day's renewals are
 * nothing; more is a node in a loop, or in other hands.
 */
const ISSUE_LIMIT: RateLimit = { burst: 1_000, perSecond: 20 };

export interface CertificateDependencies {
  readonly authenticate: Authenticate;
  /** Where callers are told of that are no nodes. */
  readonly strangers: RefusalLog;
  readonly authority: CertificateAuthority;
  readonly isScheduled: IsScheduled;
  readonly clock: Clock;
  readonly log: Log;
}

/** Why a call fails: what the caller hears, and what the log says. */
interface Refused {
  readonly code: status;
  readonly details: string;
  readonly node: string | undefined;
  readonly identity: string | undefined;
  readonly reason: string;
}

/** Signs the certificates of the pods on a node, for that node: Istio's `IstioCertificateService`. */
export class CertificateService {
  readonly #deps: CertificateDependencies;
  readonly #limits = new Map<string, TokenBucket>();

  constructor(deps: CertificateDependencies) {
    this.#deps = deps;
  }

  /** Handler of `CreateCertificate`. Each outcome is one line of the log; strangers share theirs. */
  readonly serve = (call: CertificateCall, answer: sendUnaryData<IstioCertificateResponse>): void => {
    this.#create(call)
      .then((result) => {
        if (result.ok) answer(null, create(IstioCertificateResponseSchema, { certChain: [...result.value] }));
        else this.#refuse(call, result.error, answer);
      })
      .catch((error: unknown) => {
        this.#deps.log.error({ error: errorText(error) }, "issuing a certificate failed");
        answer({ code: status.INTERNAL, details: "internal error" });
      });
  };

  async #create(call: CertificateCall): Promise<Result<readonly string[], Refused>> {
    const { authenticate, authority, isScheduled } = this.#deps;
    const joined = await authenticate(call.metadata);
    if (!joined.ok) return refused(status.UNAUTHENTICATED, NOT_AUTHENTICATED, { reason: joined.error });
    const { node } = joined.value;
    if (!this.#limitOf(node).take()) {
      const details = `more than ${ISSUE_LIMIT.perSecond} certificates a second; try again later`;
      return refused(status.RESOURCE_EXHAUSTED, details, { node, reason: "too many requests" });
    }
    const asked = readCertificateRequest(call.request, MAX_LEAF_LIFETIME_MS);
    if (!asked.ok) return refused(status.INVALID_ARGUMENT, asked.error, { node, reason: asked.error });
    const { id } = asked.value;
    const allowed = authorizeNode(node, id, authority.set.trustDomain, isScheduled);
    if (allowed.ok) return this.#issue(node, asked.value);
    return refused(status.PERMISSION_DENIED, `${node} may not have ${id}`, {
      node,
      identity: id,
      reason: allowed.error,
    });
  }

  #issue(node: string, { id, publicKey, lifetimeMs, holder }: AskedCertificate): Result<readonly string[], Refused> {
    const { authority, log } = this.#deps;
    const place = holder === undefined ? {} : { holder: `${node} ${holder} ${id}` };
    const chain = authority.issue({ id, publicKey, lifetimeMs, node, ...place });
    if (!chain.ok) {
      return refused(status.UNAVAILABLE, "the authority cannot sign", { node, identity: id, reason: chain.error });
    }
    const leaf = chain.value[0] as Uint8Array;
    const { serial, notAfter } = unwrap(parseCertificate(leaf));
    const facts = { audit: "issued", node, identity: id, serial, sha256: fingerprintOf(leaf) };
    log.info({ ...facts, notAfter: new Date(notAfter).toISOString() }, `issued a certificate for ${id} to ${node}`);
    return ok(formatIssuedChain(chain.value, authority.bundle));
  }

  #refuse(call: CertificateCall, refusal: Refused, answer: sendUnaryData<IstioCertificateResponse>): void {
    const { code, details, node, identity, reason } = refusal;
    const facts = { audit: "refused", node, identity, peer: call.getPeer(), reason };
    const message = `refused a certificate to ${node ?? call.getPeer()}: ${reason}`;
    if (node === undefined) this.#deps.strangers.refused(facts, message);
    else this.#deps.log.warn(facts, message);
    answer({ code, details });
  }

  #limitOf(node: string): TokenBucket {
    const known = this.#limits.get(node);
    if (known) return known;
    const limit = new TokenBucket(ISSUE_LIMIT, this.#deps.clock);
    this.#limits.set(node, limit);
    return limit;
  }
}

const refused = (
  code: status,
  details: string,
  facts: { readonly node?: string; readonly identity?: string; readonly reason: string },
): Result<never, Refused> => err({ code, details, node: facts.node, identity: facts.identity, reason: facts.reason });
