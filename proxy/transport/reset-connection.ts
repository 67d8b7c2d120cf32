import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/**
 * Breaks a connection off so that its peer cannot take that for an end: by RST where there is TCP, also below TLS. Without RST a
 * broken off TLS connection lacks its close_notify only, and most who read TLS, Node.js among them, do not look for that
 * (RFC 9112 section 9.8). Other streams are destroyed, which is their way to break off.
 */
export const resetConnection = (duplex: Duplex): void => {
  if (duplex instanceof TLSSocket) {
    resetBelow(duplex);
    duplex.destroy();
  } else if (isTcp(duplex)) duplex.resetAndDestroy();
  else duplex.destroy();
};

/**
 * TLS closes the socket below it when it is destroyed; this is what has Node.js close that by RST. `resetAndDestroy` of that
 * socket itself is no way: Node.js 26 crashes when TLS is destroyed after it. TLS that was connected without a socket of its own
 * shows none.
 */
const resetBelow = (tls: TLSSocket & { readonly _parent?: Socket & { resetAndClosing?: boolean } }): void => {
  const { _parent: below } = tls;
  if (below instanceof Socket && isTcp(below)) below.resetAndClosing = true;
};

/** Unix sockets know no RST. */
const isTcp = (duplex: Duplex): duplex is Socket => duplex instanceof Socket && duplex.remotePort !== undefined;
