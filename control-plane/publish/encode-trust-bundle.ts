import { create, toBinary } from "@bufbuild/protobuf";
import { TrustBundleSchema } from "#api/gen/heddle/trust/v1alpha1/trust_bundle_pb.js";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import { type Resource, resourceOf } from "./resource.ts";

/** The roots of a trust domain as `heddle.trust.v1alpha1.TrustBundle`. */
export const encodeTrustBundle = ({ trustDomain, roots, retired = [] }: TrustBundle): Resource => {
  const message = create(TrustBundleSchema, {
    trustDomain,
    roots: [...roots],
    retired: retired.map((fingerprint) => Buffer.from(fingerprint, "hex")),
  });
  return resourceOf(trustDomain, [], toBinary(TrustBundleSchema, message));
};
