/**
 * The bytes of one proxied connection: a TCP socket or a tunnel. Half-close works in both directions; a reset is passed on as
 * what the transport has for it (RFC 9113 section 8.5).
 */
export interface ByteStream {
  /** Whether nothing can be read or written any more. */
  readonly isGone: boolean;
  /** Begins to deliver what comes, also what has come already. To be called once. */
  read(reader: ByteReader): void;
  /**
   * Sends bytes, or queues them.
   * @param bytes are copied
   * @returns whether more is welcome; if not, {@link ByteReader.writable} says when
   */
  write(bytes: Uint8Array): boolean;
  /**
   * So many bytes of {@link ByteReader.data} have been handed on: the other end may send as many again. A socket is not read
   * until all of them have.
   */
  consumed(bytes: number): void;
  /** Ends our direction, after what is queued. */
  end(): void;
  /** Breaks it off so that the other end sees an error and not an end. Nothing is told after it. */
  reset(): void;
  /**
   * Lets go of it after {@link end}, in order where the transport allows it: the other end sees no error if it was sent
   * everything. Nothing is told after it.
   */
  close(): void;
}

/** Who is told what comes. */
export interface ByteReader {
  /** @param bytes are lent: whoever wants them for longer than the call copies them */
  data(bytes: Uint8Array): void;
  /** The other end has said everything. */
  end(): void;
  /** More is welcome again; or, after our end, everything has been handed on. */
  writable(): void;
  /**
   * It is over; told once, and nothing after it.
   * @param problem why it was broken off; undefined when both directions have ended, and the other end has, or will get,
   *   everything
   */
  closed(problem: string | undefined): void;
}
