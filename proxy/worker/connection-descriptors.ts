/** For everything else: what a process has from its start, listening sockets, handshakes, and sockets made ahead of their use. */
const MIN_RESERVE = 256;
const RESERVED_SHARE = 1 / 8;
/** Where the limit is so low that nothing would be left. */
const MIN_SHARE = 1 / 4;

/** How many descriptors of a limit connections may have. The rest stays free, so that who is refused is told, and nothing else fails. */
export const connectionDescriptors = (openFileLimit: number): number =>
  Math.floor(
    Math.max(openFileLimit * MIN_SHARE, openFileLimit - Math.max(MIN_RESERVE, openFileLimit * RESERVED_SHARE)),
  );
