import { X509Certificate } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { TrustBundleSchema } from "#api/gen/heddle/trust/v1alpha1/trust_bundle_pb.js";
import { err, ok, type Result } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

/** More roots than this in one bundle are a mistake: a rotation needs two. */
const MAX_ROOTS = 16;

/** Decodes a trust bundle. @returns what is wrong with the resource otherwise, to be sent back as a NACK */
export const decodeTrustBundle = (name: string, bytes: Uint8Array): Result<TrustBundle, string> => {
  try {
    const proto = fromBinary(TrustBundleSchema, bytes);
    const trustDomain = parseTrustDomain(proto.trustDomain);
    if (!trustDomain.ok) return trustDomain;
    if (trustDomain.value !== name) return err("the trust domain is not the resource's name");
    if (proto.roots.length === 0) return err("a trust bundle without roots would refuse everybody");
    if (proto.roots.length > MAX_ROOTS) return err(`${proto.roots.length} roots are more than ${MAX_ROOTS}`);
    const certificates = proto.roots.map((root) => new X509Certificate(root));
    const notAuthority = certificates.findIndex(({ ca }) => !ca);
    if (notAuthority >= 0) return err(`root ${notAuthority} is not a certificate authority`);
    // Node.js reads PEM as well, and more than one certificate in a row.
    const notDer = proto.roots.findIndex((root, index) => certificates[index]?.raw.equals(root) !== true);
    if (notDer >= 0) return err(`root ${notDer} is not the DER of one certificate`);
    if (proto.retired.length > MAX_ROOTS)
      return err(`${proto.retired.length} retired roots are more than ${MAX_ROOTS}`);
    const retired = proto.retired.map((fingerprint) => Buffer.from(fingerprint).toString("hex"));
    return ok({ trustDomain: trustDomain.value, roots: proto.roots, retired });
  } catch (error) {
    return err(`not a trust bundle: ${String(error)}`);
  }
};
