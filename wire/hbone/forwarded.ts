/** The `forwarded` header of a tunnel request (RFC 7239), as ztunnel writes it. Telemetry only. */
export interface Forwarded {
  /** The client's `address:port`. */
  readonly client: string;
  /** Host name of the service that was called; undefined where a workload was called by its address. */
  readonly host: string | undefined;
}

const MAX_FORWARDED_CHARACTERS = 1024;

/** `for="10.0.0.1:33412";host=web.shop.svc.cluster.local` */
export const formatForwarded = ({ client, host }: Forwarded): string =>
  host === undefined ? `for="${client}"` : `for="${client}";host=${host}`;

/** The `host` of a header, quoted or not. @returns undefined where there is none, it is empty, or it is no host name */
export const forwardedHost = (header: string): string | undefined => {
  if (header.length > MAX_FORWARDED_CHARACTERS) return undefined;
  for (const pair of header.split(";")) {
    const [, quoted, plain] = /^\s*host=(?:"([^"]*)"|([^"\s]*))\s*$/i.exec(pair) ?? [];
    const host = quoted ?? plain ?? "";
    if (/^[A-Za-z0-9._-]+$/.test(host)) return host;
  }
  return undefined;
};
