import type { CertificateFiles } from "../mesh/certificates.ts";
import { SERVER_PORTS } from "../mesh/nginx-config.ts";

export const ENVOY_CLIENT_PORTS = { http: 9180, http2: 9182 } as const;
const PEER_PORTS = { http: 9543, http2: 9545 } as const;

/** Both speak HTTP/2 over mutual TLS, which costs Envoy less than HTTP/1.1, whatever client and server speak. */
const PROTOCOLS = ["http", "http2"] as const;

/** In clear from the client, with its certificate to the peer. JSON. */
export const envoyAtClient = ({ client, clientKey, root }: CertificateFiles, peer: string): string => {
  const tls = transport("UpstreamTlsContext", { common_tls_context: tlsContext(client, clientKey, root) });
  return JSON.stringify({
    static_resources: {
      listeners: PROTOCOLS.map((name) => listener(name, "127.0.0.1", ENVOY_CLIENT_PORTS[name], [])),
      clusters: PROTOCOLS.map((name) => ({
        ...cluster(name, peer, PEER_PORTS[name]),
        ...HTTP2,
        transport_socket: tls,
      })),
    },
  });
};

/** From a peer that proves who it is and whom a policy lets in, in clear to the server. JSON. */
export const envoyAtServer = ({ server, serverKey, root }: CertificateFiles): string => {
  const tls = transport("DownstreamTlsContext", {
    common_tls_context: tlsContext(server, serverKey, root),
    require_client_certificate: true,
  });
  return JSON.stringify({
    static_resources: {
      listeners: PROTOCOLS.map((name) => listener(name, "0.0.0.0", PEER_PORTS[name], [POLICY], tls)),
      clusters: [
        cluster("http", "127.0.0.1", SERVER_PORTS.http),
        { ...cluster("http2", "127.0.0.1", SERVER_PORTS.http2), ...HTTP2 },
      ],
    },
  });
};

const TYPE = "type.googleapis.com/envoy.extensions";

const POLICY = {
  name: "envoy.filters.http.rbac",
  typed_config: {
    "@type": `${TYPE}.filters.http.rbac.v3.RBAC`,
    rules: {
      action: "ALLOW",
      policies: {
        client: {
          permissions: [{ any: true }],
          principals: [{ authenticated: { principal_name: { prefix: "spiffe://" } } }],
        },
      },
    },
  },
};

const ROUTER = {
  name: "envoy.filters.http.router",
  typed_config: { "@type": `${TYPE}.filters.http.router.v3.Router` },
};

const HTTP2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/** What it takes goes to the cluster of the same name. */
const listener = (name: string, address: string, port: number, filters: readonly object[], tls?: object): object => ({
  name,
  address: socketAddress(address, port),
  filter_chains: [{ filters: [httpManager(name, filters)], ...(tls && { transport_socket: tls }) }],
});

const httpManager = (to: string, filters: readonly object[]): object => ({
  name: "envoy.filters.network.http_connection_manager",
  typed_config: {
    "@type": `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: to,
    codec_type: "AUTO",
    route_config: {
      virtual_hosts: [{ name: to, domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: to } }] }],
    },
    http_filters: [...filters, ROUTER],
  },
});

const cluster = (name: string, address: string, port: number): object => ({
  name,
  type: "STATIC",
  connect_timeout: "5s",
  load_assignment: {
    cluster_name: name,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(address, port) } }] }],
  },
});

const socketAddress = (address: string, port: number): object => ({ socket_address: { address, port_value: port } });

const transport = (kind: string, config: object): object => ({
  name: "envoy.transport_sockets.tls",
  typed_config: { "@type": `${TYPE}.transport_sockets.tls.v3.${kind}`, ...config },
});

const tlsContext = (chain: string, key: string, root: string): object => ({
  tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
  tls_certificates: [{ certificate_chain: { filename: chain }, private_key: { filename: key } }],
  validation_context: { trusted_ca: { filename: root } },
  alpn_protocols: ["h2"],
});
