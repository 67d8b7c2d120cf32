import { type IpAddress, ipFamily, parseIpAddress } from "./ip-address.ts";
import { err, ok, type Result } from "./result.ts";

/** Where a TCP connection goes to or comes from. */
export interface SocketAddress {
  readonly address: IpAddress;
  /** 1-65535. */
  readonly port: number;
}

/** `10.0.0.1:80`, `[fd00::1]:80`: the authority form of RFC 3986 section 3.2. */
export const formatSocketAddress = ({ address, port }: SocketAddress): string =>
  ipFamily(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;

/** Parses what {@link formatSocketAddress} writes. The port is required; IPv6 needs its brackets. */
export const parseSocketAddress = (text: string): Result<SocketAddress, string> => {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([1-9][0-9]{0,4})$/.exec(text);
  const [, bracketed, plain, portText] = match ?? [];
  const address = parseIpAddress(bracketed ?? plain ?? "");
  const port = Number(portText);
  if (!match || !address.ok || port > 65535 || (ipFamily(address.value) === 6) !== (bracketed !== undefined)) {
    return err(`${JSON.stringify(text.slice(0, 128))} is not an address with a port`);
  }
  return ok({ address: address.value, port });
};
