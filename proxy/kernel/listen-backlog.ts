/**
 * How many connections may wait in the queue of a listening socket, also while a worker is being replaced. Whoever listens names it: listening again sets the
 * length anew, and Node's own is 511.
 */
export const LISTEN_BACKLOG = 4096;
