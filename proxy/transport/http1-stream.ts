import type { Field } from "#wire/field.ts";
import type { ReceivedResponseHead, ResponseHead } from "#wire/http1/head.ts";
import type { Http1Error } from "#wire/http1/http1-error.ts";

/** Why a request and its answer, or a tunnel, broke off. */
export type Http1Failure =
  /** The peer broke a rule, or ended inside of a message. */
  | { readonly kind: "protocol"; readonly error: Http1Error }
  /** It took longer than the connection's patience. */
  | { readonly kind: "timeout"; readonly message: string }
  | { readonly kind: "lost"; readonly message: string }
  /** It was lost before a byte of the request had left: the server knows nothing of it. */
  | { readonly kind: "unsent"; readonly message: string };

/** What comes of a message, and afterwards of a tunnel that it opened: the same for both sides of a connection. */
export interface Http1StreamHandler {
  /**
   * @param bytes are lent: whoever wants them for longer than the call copies them; to be accounted for with
   *   {@link Http1Stream.consumed} as soon as they need no memory any more
   */
  data(bytes: Uint8Array): void;
  /** The message is complete; in a tunnel: the peer sends no more. */
  end(trailers: readonly Field[]): void;
  /** More is welcome again, after {@link Http1Stream.write} said no. */
  writable(): void;
  /** It is gone before both sides were done, whoever did it but {@link Http1Stream.reset}. Nothing follows. */
  reset(failure: Http1Failure): void;
  /** Both sides were done. Nothing follows. */
  closed?(): void;
}

/** The way back. Calls after the end of an exchange do nothing. */
export interface Http1Stream {
  /**
   * Sends content, after a head; bytes of the tunnel, after a head that opened one.
   * @param bytes are copied
   * @returns whether more is welcome; if not, {@link Http1StreamHandler.writable} says when
   * @throws Http1Error when it is more than the head has announced
   */
  write(bytes: Uint8Array): boolean;
  /**
   * Ends our message, or our direction of a tunnel.
   * @throws Http1Error when it is less than the head has announced; the connection is aborted then
   */
  end(trailers?: readonly Field[]): void;
  /** Breaks off both directions and the connection with them, so that nobody takes what was sent for complete. */
  reset(reason: string): void;
  /** So many bytes of {@link Http1StreamHandler.data} need no memory any more. An answer is not read on until all of them do. */
  consumed(bytes: number): void;
}

/** A request that we send. */
export interface Http1ClientStream extends Http1Stream {
  /** Whether no byte of it has left yet. */
  readonly isUnsent: boolean;
}

/**
 * A request that is to be answered. One that may become a tunnel (CONNECT, or with an offered upgrade) has no end before it is
 * answered: then it ends, or its data are the tunnel's.
 */
export interface Http1ServerStream extends Http1Stream {
  /** Whether a final head was sent. */
  readonly isAnswered: boolean;
  sendInformational(head: ResponseHead): void;
  /** @param protocols to which a 101 switches */
  sendHead(head: ResponseHead, protocols?: readonly string[]): void;
  /** Sends a head that was received from another server: its very bytes where they suit. Informational ones too. */
  forwardHead(head: ReceivedResponseHead): void;
}

/** What comes to a client. */
export interface Http1ResponseHandler extends Http1StreamHandler {
  /** 100 to 199 without 101; the final head is still to come. */
  informational(head: ReceivedResponseHead): void;
  /** With framing "tunnel" data are the tunnel's from now on, and so is what is written. */
  head(head: ReceivedResponseHead): void;
}

export const failureText = (failure: Http1Failure): string =>
  failure.kind === "protocol" ? failure.error.message : failure.message;
