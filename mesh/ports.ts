/** Captured connections that a pod opens. */
export const OUTBOUND_PORT = 15001;
/** Captured plaintext connections to a pod. */
export const INBOUND_PORT = 15006;
/** HBONE: mutual TLS with HTTP/2 CONNECT, the one port that must be open between pods. */
export const TUNNEL_PORT = 15008;

/** Nobody may ask the proxy to connect to these: it would be calling itself. */
export const PROXY_PORTS: ReadonlySet<number> = new Set([OUTBOUND_PORT, INBOUND_PORT, TUNNEL_PORT]);
