import { SERVER_PORTS } from "../mesh/nginx-config.ts";
import type { CertificateFiles } from "../mesh/certificates.ts";

/** Where the one at the client listens, in clear, by what it takes the bytes for. */
export const CLIENT_PORTS = { http: 9080, bytes: 9081, http2: 9082 } as const;
/** Where the one at the server listens, with mutual TLS. */
const PEER_PORTS = { http: 9443, bytes: 9444, http2: 9445 } as const;

const COMMON = `
global
  nbthread 1
  maxconn 8000
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-server-options ssl-min-ver TLSv1.3 no-tls-tickets
defaults
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  timeout http-keep-alive 10m
  timeout tunnel 10m
  http-reuse always
`;

/** In clear from the client, with its certificate to the peer. Connections to the peer are kept and shared. */
export const haproxyAtClient = ({ client, root }: CertificateFiles, peer: string): string => {
  const tls = `ssl crt ${client} ca-file ${root} verify required`;
  return `${COMMON}
listen http
  mode http
  bind 127.0.0.1:${CLIENT_PORTS.http}
  server peer ${peer}:${PEER_PORTS.http} ${tls} alpn http/1.1
listen http2
  mode http
  bind 127.0.0.1:${CLIENT_PORTS.http2} proto h2
  server peer ${peer}:${PEER_PORTS.http2} ${tls} alpn h2
listen bytes
  mode tcp
  bind 127.0.0.1:${CLIENT_PORTS.bytes}
  server peer ${peer}:${PEER_PORTS.bytes} ${tls}
`;
};

/** From a peer that proves who it is, in clear to the server. */
export const haproxyAtServer = ({ server, root }: CertificateFiles): string => {
  const tls = `ssl crt ${server} ca-file ${root} verify required`;
  return `${COMMON}
listen http
  mode http
  bind 0.0.0.0:${PEER_PORTS.http} ${tls} alpn http/1.1
  server app 127.0.0.1:${SERVER_PORTS.http}
listen http2
  mode http
  bind 0.0.0.0:${PEER_PORTS.http2} ${tls} alpn h2
  server app 127.0.0.1:${SERVER_PORTS.http2} proto h2
listen bytes
  mode tcp
  bind 0.0.0.0:${PEER_PORTS.bytes} ${tls}
  server app 127.0.0.1:${SERVER_PORTS.bytes}
`;
};
