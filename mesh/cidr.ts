import { type IpAddress, ipAddressFromBytes, ipAddressToBytes, parseIpAddress } from "./ip-address.ts";
import { err, ok, type Result, unwrap } from "./result.ts";

/** A range of addresses of one family; `address` has no bit set behind the prefix. */
export interface Cidr {
  readonly address: IpAddress;
  /** 0-32 for IPv4, 0-128 for IPv6. */
  readonly prefixLength: number;
}

/** Parses `10.0.0.0/8`, `fd00::/64` or a bare address (one address wide). Bits behind the prefix are cleared. */
export const parseCidr = (text: string): Result<Cidr, string> => {
  const [addressText = "", lengthText, ...rest] = text.split("/");
  const address = parseIpAddress(addressText);
  if (!address.ok || rest.length > 0) return err(`${JSON.stringify(text.slice(0, 64))} is not an address range`);
  if (lengthText === undefined) return cidr(address.value, ipAddressToBytes(address.value).length * 8);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(lengthText)) return err(`${JSON.stringify(lengthText)} is not a prefix length`);
  return cidr(address.value, Number(lengthText));
};

/** The range of `prefixLength` bits around an address. */
export const cidr = (address: IpAddress, prefixLength: number): Result<Cidr, string> => {
  const bytes = ipAddressToBytes(address);
  if (prefixLength < 0 || prefixLength > bytes.length * 8) return err(`/${prefixLength} is too long for ${address}`);
  const masked = bytes.map((byte, index) => byte & maskByte(prefixLength - index * 8));
  return ok({ address: unwrap(ipAddressFromBytes(masked)), prefixLength });
};

/** Whether the range contains the address. An address of the other family never is. */
export const cidrContains = (range: Cidr, address: IpAddress): boolean => {
  const network = ipAddressToBytes(range.address);
  const candidate = ipAddressToBytes(address);
  if (network.length !== candidate.length) return false;
  return candidate.every((byte, index) => (byte & maskByte(range.prefixLength - index * 8)) === network[index]);
};

export const formatCidr = (range: Cidr): string => `${range.address}/${range.prefixLength}`;

/** The first `bits` bits of a byte set; below 0 none, above 8 all. */
const maskByte = (bits: number): number => (bits <= 0 ? 0 : bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff);
