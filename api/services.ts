import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from "./gen/envoy/service/discovery/v3/discovery_pb.js";
import {
  type IstioCertificateRequest,
  IstioCertificateRequestSchema,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
} from "./gen/istio/v1/auth/ca_pb.js";

/**
 * The gRPC services of the control plane as grpc-js takes them: whole for `server.addService`, or one method for
 * `client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, metadata)`.
 */

/** `envoy.service.discovery.v3.AggregatedDiscoveryService`, its incremental method only. */
export const discoveryService = {
  DeltaAggregatedResources: {
    path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    requestStream: true,
    responseStream: true,
    requestSerialize: (request) => encode(DeltaDiscoveryRequestSchema, request),
    requestDeserialize: (bytes) => fromBinary(DeltaDiscoveryRequestSchema, bytes),
    responseSerialize: (response) => encode(DeltaDiscoveryResponseSchema, response),
    responseDeserialize: (bytes) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
  } satisfies MethodDefinition<DeltaDiscoveryRequest, DeltaDiscoveryResponse>,
} as const;

/** `istio.v1.auth.IstioCertificateService`. */
export const certificateService = {
  CreateCertificate: {
    path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
    requestStream: false,
    responseStream: false,
    requestSerialize: (request) => encode(IstioCertificateRequestSchema, request),
    requestDeserialize: (bytes) => fromBinary(IstioCertificateRequestSchema, bytes),
    responseSerialize: (response) => encode(IstioCertificateResponseSchema, response),
    responseDeserialize: (bytes) => fromBinary(IstioCertificateResponseSchema, bytes),
  } satisfies MethodDefinition<IstioCertificateRequest, IstioCertificateResponse>,
} as const;

/** grpc-js wants a Buffer; this one shares the encoder's memory. */
const encode = <Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Buffer => {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};
