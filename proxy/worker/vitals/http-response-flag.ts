/**
 * Why a request did not simply get its answer, in Envoy's short words; `-`: it did. Istio's metrics have them as the label
 * `response_flags`.
 */
export const HTTP_RESPONSE_FLAGS = [
  "-",
  /** The client went away before it had its answer. */
  "DC",
  /** What the client sent is no HTTP. */
  "DPE",
  /** The client's request did not come in time, or nothing moved for too long. */
  "SI",
  /** No rule of the routes holds the request. */
  "NR",
  /** The rule's backend cannot be found or must not be used. */
  "NC",
  /** The backend has no endpoint that is ready. */
  "UH",
  /** The endpoint could not be connected to. */
  "UF",
  /** The endpoint ended the connection before its answer was complete. */
  "UC",
  /** The endpoint reset the request's own stream. */
  "UR",
  /** The endpoint did not answer in time. */
  "UT",
  /** What the endpoint answered is no HTTP. */
  "UPE",
  /** A limit of the mesh is reached: connections, streams, pending requests. */
  "UO",
  /** The last of the attempts that the route allows has failed. */
  "URX",
  /** The mesh ended it: the pod is withdrawn, or a mistake of ours. */
  "LR",
  /** A policy denies it; Envoy's word for any refusal of authorization. */
  "UAEX",
  /** A limit of the rate is reached. */
  "RL",
  /** The proxy has no room: open files, memory. */
  "OM",
] as const;

/** @see HTTP_RESPONSE_FLAGS */
export type HttpResponseFlag = (typeof HTTP_RESPONSE_FLAGS)[number];
