/** The resource types of the control stream, as they are named in requests, responses and `google.protobuf.Any`. */

/** Workloads and services: `istio.workload.Address`. */
export const ADDRESS_TYPE = "type.googleapis.com/istio.workload.Address";
/** L4 policies: `istio.security.Authorization`. */
export const AUTHORIZATION_TYPE = "type.googleapis.com/istio.security.Authorization";
/** The roots of a trust domain: `heddle.trust.v1alpha1.TrustBundle`. */
export const TRUST_BUNDLE_TYPE = "type.googleapis.com/heddle.trust.v1alpha1.TrustBundle";
/** Routes of Services: `heddle.routes.v1alpha1.Routing`. */
export const ROUTING_TYPE = "type.googleapis.com/heddle.routes.v1alpha1.Routing";
