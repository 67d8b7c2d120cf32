import { create, toBinary } from "@bufbuild/protobuf";
import {
  AddressSchema,
  LoadBalancing_HealthPolicy,
  LoadBalancing_Mode,
  ServiceSchema,
} from "#api/gen/istio/workload/workload_pb.js";
import { ipAddressToBytes } from "#mesh/ip-address.ts";
import { type Service, serviceName } from "#mesh/service.ts";
import { addressAlias } from "./address-alias.ts";
import { APP_PROTOCOLS } from "./encode-workload.ts";
import { type Resource, resourceOf } from "./resource.ts";

/** A service as `istio.workload.Address`. */
export const encodeService = (service: Service): Resource => {
  const message = create(ServiceSchema, {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    addresses: service.addresses.map((address) => ({ network: service.network, address: ipAddressToBytes(address) })),
    ports: service.ports.map(({ port, targetPort, protocol }) => ({
      servicePort: port,
      targetPort,
      appProtocol: APP_PROTOCOLS[protocol],
    })),
    // A Kubernetes Service is the canonical owner of its name and addresses, before anything that claims the same.
    canonical: true,
    ...encodeHealthPolicy(service),
  });
  const body = toBinary(AddressSchema, create(AddressSchema, { type: { case: "service", value: message } }));
  const aliases = service.addresses.map((address) => addressAlias(service.network, address));
  return resourceOf(serviceName(service), aliases, body);
};

const encodeHealthPolicy = ({ sendToUnready }: Service) =>
  sendToUnready
    ? {
        loadBalancing: {
          mode: LoadBalancing_Mode.UNSPECIFIED_MODE,
          healthPolicy: LoadBalancing_HealthPolicy.ALLOW_ALL,
        },
      }
    : {};
