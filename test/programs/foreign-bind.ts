import { once } from "node:events";
import { isIPv6 } from "node:net";
import { bind, close, lastError, listen, setsockopt, socket } from "#proxy/kernel/libc.ts";

/*
 *   foreign-bind.ts now PORTS ADDRESSES      tries to listen there in every way that there is; says what came of each as JSON
 *   foreign-bind.ts early PORT ADDRESS       binds, says `bound`, and listens when a line comes
 */

const [mode = "", ports = "", addresses = ""] = process.argv.slice(2);

const [AF_INET, AF_INET6, SOCK_STREAM] = [2, 10, 1];
const IPPROTO_MPTCP = 262;
const REUSEADDR = [1, 2] as const;
const REUSEPORT = [1, 15] as const;
const FREEBIND = [0, 15] as const;
const TRANSPARENT = [0, 19] as const;
const V6ONLY = [41, 26] as const;

type Option = readonly [level: number, name: number];

const TRICKS: Readonly<Record<string, readonly Option[]>> = {
  plain: [],
  "reuse address": [REUSEADDR],
  "reuse port": [REUSEPORT],
  "reuse both": [REUSEADDR, REUSEPORT],
  "one family": [REUSEADDR, REUSEPORT, V6ONLY],
  "free and transparent": [REUSEADDR, REUSEPORT, FREEBIND, TRANSPARENT],
};

const socketAddress = (address: string, port: number): Uint8Array => {
  const bytes = Buffer.alloc(isIPv6(address) ? 28 : 16);
  bytes.writeUInt16LE(isIPv6(address) ? AF_INET6 : AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  if (isIPv6(address)) Buffer.from(groups(address)).copy(bytes, 8);
  else Buffer.from(address.split(".").map(Number)).copy(bytes, 4);
  return bytes;
};

/** The 16 bytes of an IPv6 address. */
const groups = (address: string): readonly number[] => {
  const [head = "", tail = ""] = address.split("::");
  const words = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((word) => Number.parseInt(word, 16));
  const [first, last] = [words(head), words(tail)];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last].flatMap((word) => [
    word >> 8,
    word & 255,
  ]);
};

const bound = (address: string, port: number, options: readonly Option[], protocol = 0): number => {
  const fd = socket(isIPv6(address) ? AF_INET6 : AF_INET, SOCK_STREAM, protocol);
  if (fd < 0) throw new Error(lastError());
  for (const [level, name] of options) setsockopt(fd, level, name, new Uint8Array(Int32Array.of(1).buffer), 4);
  const bytes = socketAddress(address, port);
  if (bind(fd, bytes, bytes.length) === 0) return fd;
  const problem = lastError();
  close(fd);
  throw new Error(problem);
};

const outcome = (attempt: () => number): string => {
  try {
    const fd = attempt();
    const result = listen(fd, 1) < 0 ? lastError() : "listens";
    close(fd);
    return result;
  } catch (error) {
    return (error as Error).message;
  }
};

if (mode === "early") {
  const fd = bound(addresses, Number(ports), [REUSEADDR, REUSEPORT]);
  console.log("bound");
  await once(process.stdin, "data");
  console.log(listen(fd, 1) < 0 ? lastError() : "listens");
  process.exit(0);
}

const outcomes: Record<string, string> = {};
for (const port of ports.split(",").map(Number)) {
  for (const address of addresses.split(",")) {
    for (const [trick, options] of Object.entries(TRICKS)) {
      outcomes[`${trick} ${address} ${port}`] = outcome(() => bound(address, port, options));
    }
    const multipath = outcome(() => bound(address, port, [REUSEADDR, REUSEPORT], IPPROTO_MPTCP));
    // Not every kernel has it.
    if (!["EPROTONOSUPPORT", "ENOPROTOOPT", "EINVAL"].includes(multipath))
      outcomes[`multipath ${address} ${port}`] = multipath;
  }
}
console.log(JSON.stringify(outcomes));
