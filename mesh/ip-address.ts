import { err, ok, type Result } from "./result.ts";

declare const ipAddress: unique symbol;
/**
 * An IPv4 or IPv6 address in its one canonical text form: dotted decimal, or RFC 5952 for IPv6. Two addresses are the same
 * if and only if the strings are. IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. No zone.
 */
export type IpAddress = string & { readonly [ipAddress]: true };

export type IpFamily = 4 | 6;

/** The family of an address. */
export const ipFamily = (address: IpAddress): IpFamily => (address.includes(":") ? 6 : 4);

/** Parses either family. Leading zeros in IPv4 octets and zones are refused: readers disagree about what they mean. */
export const parseIpAddress = (text: string): Result<IpAddress, string> => {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  return bytes ? ok(formatBytes(bytes)) : err(`${JSON.stringify(text.slice(0, 64))} is not an IP address`);
};

/** From 4 or 16 bytes in network order, as on the wire. */
export const ipAddressFromBytes = (bytes: Uint8Array): Result<IpAddress, string> =>
  bytes.length === 4 || bytes.length === 16
    ? ok(formatBytes(bytes))
    : err(`an IP address has 4 or 16 bytes, not ${bytes.length}`);

/** 4 or 16 bytes in network order. */
export const ipAddressToBytes = (address: IpAddress): Uint8Array => {
  const bytes = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  if (!bytes) throw new Error(`not canonical: ${address}`);
  return bytes;
};

/** 127.0.0.0/8 and ::1. */
export const isLoopback = (address: IpAddress): boolean => address.startsWith("127.") || address === "::1";

/** 0.0.0.0 and ::. */
export const isUnspecified = (address: IpAddress): boolean => address === "0.0.0.0" || address === "::";

const formatBytes = (bytes: Uint8Array): IpAddress => {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as IpAddress;
  const isMappedIpv4 = bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  return (isMappedIpv4 ? bytes.subarray(12).join(".") : formatIpv6(bytes)) as IpAddress;
};

const parseIpv4 = (text: string): Uint8Array | undefined => {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => /^(?:0|[1-9][0-9]{0,2})$/.test(octet))) return undefined;
  const values = octets.map(Number);
  return values.every((value) => value <= 255) ? Uint8Array.from(values) : undefined;
};

const parseIpv6 = (text: string): Uint8Array | undefined => {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = parseGroups(halves[1] ?? "", true);
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  const hasGap = halves.length === 2;
  if (hasGap ? missing < 2 : missing !== 0) return undefined;
  return Uint8Array.from([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
};

/** The bytes of colon-separated groups; the last may be a dotted IPv4 address where `dottedTail` allows it. */
const parseGroups = (text: string, dottedTail: boolean): number[] | undefined => {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (dottedTail && index === groups.length - 1 && group.includes(".")) {
      const ipv4 = parseIpv4(group);
      if (!ipv4) return undefined;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
};

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups shortened, the first of equals. */
const formatIpv6 = (bytes: Uint8Array): string => {
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
  let runStart = -1;
  let runLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > runLength) [runStart, runLength] = [start, length];
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  return runStart < 0 ? hex(groups) : `${hex(groups.slice(0, runStart))}::${hex(groups.slice(runStart + runLength))}`;
};
