import { close, recv, send, socket } from "../kernel/libc.ts";
import { inNetworkNamespace, type NetworkNamespace } from "../kernel/network-namespace.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_NETFILTER = 12;
const MSG_DONTWAIT = 0x40;
const NLM_F_REQUEST = 1;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = 16;
const NFT_MSG_NEWGEN = 15;
/** struct nlmsghdr 16 bytes, struct nfgenmsg 4; then attributes, the first of which is NFTA_GEN_ID (u32 big-endian). */
const HEADER_BYTES = 20;

/** The request: no payload beyond the two headers. */
const REQUEST = ((): Uint8Array => {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, HEADER_BYTES, true);
  view.setUint16(4, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, true);
  view.setUint16(6, NLM_F_REQUEST, true);
  return bytes;
})();

/**
 * The number that the kernel increases with every change of any nft rule in a namespace. Reading it costs some microseconds,
 * listing the rules some milliseconds: while the number is the same, so are the rules.
 * @returns undefined where the kernel did not answer as expected: look at the rules themselves then
 */
export const rulesetGeneration = (namespace: NetworkNamespace): number | undefined => {
  const fd = inNetworkNamespace(namespace, () => socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (fd < 0) return undefined;
  try {
    const answer = new Uint8Array(512);
    if (send(fd, REQUEST, REQUEST.length, 0) < 0) return undefined;
    const received = recv(fd, answer, answer.length, MSG_DONTWAIT);
    const view = new DataView(answer.buffer);
    const isGeneration = view.getUint16(4, true) === ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
    return received >= HEADER_BYTES + 8 && isGeneration ? view.getUint32(HEADER_BYTES + 4) : undefined;
  } finally {
    close(fd);
  }
};
