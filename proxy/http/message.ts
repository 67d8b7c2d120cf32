import type { Field } from "#wire/field.ts";
import type { ReceivedRequestHead, ReceivedResponseHead } from "#wire/http1/head.ts";
import type { ErrorCode } from "#wire/http2/error-code.ts";

/** A request, whatever version of HTTP it came in. */
export interface HttpRequest {
  readonly version: HttpVersion;
  readonly method: string;
  readonly scheme: "http" | "https";
  /** Host and port as the client wrote them; empty where HTTP/1.0 had none. */
  readonly authority: string;
  /** Path and query as they were sent; `*` of OPTIONS; the authority of CONNECT. */
  readonly target: string;
  /** All but pseudo-fields, as they came: of HTTP/1 also Host and those of one connection. */
  readonly fields: readonly Field[];
  /** Whether content may follow. */
  readonly hasContent: boolean;
  /** Undefined where it is not known before its end. */
  readonly contentLength: number | undefined;
  /** Protocols to which the client offers to switch. */
  readonly upgrade: readonly string[];
  /** The head in HTTP/1, which goes on byte for byte where nothing is changed. */
  readonly received: ReceivedRequestHead | undefined;
}

export type HttpVersion = "1.0" | "1.1" | "2";

/** A response, whatever version of HTTP it came in. */
export interface HttpResponse {
  /** 100 to 999. */
  readonly status: number;
  /** As {@link HttpRequest.fields}. */
  readonly fields: readonly Field[];
  /** Whether the response ends with its head. */
  readonly isEnd: boolean;
  readonly contentLength: number | undefined;
  /** Protocols to which a 101 switches. */
  readonly upgrade: readonly string[];
  readonly received: ReceivedResponseHead | undefined;
}

/** What is to become of a request's head on its way; both sorts of fields have lower-case names. */
export interface HeadChanges {
  /** Names that are taken out, whatever a client or a server meant by them. */
  readonly remove: ReadonlySet<string>;
  readonly add: readonly Field[];
}

/** Why a message broke off. */
export interface HttpFailure {
  readonly kind:
    /** The peer broke a rule. */
    | "protocol"
    | "timeout"
    /** The stream was reset, or its connection is gone. */
    | "lost"
    /** The peer has not looked at the request: it says so (RFC 9113 section 8.7), or nothing has left for it. */
    | "refused";
  readonly message: string;
  /** As HTTP/2 has it, where it came so. */
  readonly code: ErrorCode | undefined;
}

/** Who is told what comes of a message after its head. */
export interface HttpReader {
  /** @param bytes are lent: whoever wants them for longer than the call copies them */
  data(bytes: Uint8Array): void;
  end(trailers: readonly Field[]): void;
  /** More is welcome again, after {@link HttpWriter.write} said no. */
  writable(): void;
  /** It is over before both sides were done. Nothing follows. */
  reset(failure: HttpFailure): void;
}

/** The way of a message after its head. Calls after its end do nothing. */
export interface HttpWriter {
  /**
   * @param bytes are copied
   * @returns whether more is welcome; if not, {@link HttpReader.writable} says when
   */
  write(bytes: Uint8Array): boolean;
  end(trailers: readonly Field[]): void;
  /** Breaks both directions off, so that nobody takes what was sent for complete. */
  reset(code: ErrorCode, reason: string): void;
  /** So many bytes of {@link HttpReader.data} were handed on. */
  consumed(bytes: number): void;
  /** Whether nothing of it has left yet; undefined where that is not known. */
  readonly isUnsent?: boolean;
}

/** The answer to a request that came to us. */
export interface HttpAnswer extends HttpWriter {
  /** Whether a final head was sent. */
  readonly isAnswered: boolean;
  informational(head: HttpResponse): void;
  head(head: HttpResponse): void;
}

/** Who is told what comes of a request that we sent. */
export interface HttpResponseReader extends HttpReader {
  informational(head: HttpResponse): void;
  head(head: HttpResponse): void;
}

/** A connection on which clients send requests. */
export interface HttpServerConnection {
  /** No more requests: whoever sends them is told, and the connection ends when nothing can be on its way. */
  drain(): void;
  /** The connection ends with what it is at; what has switched protocols ends in order now. */
  end(): void;
  destroy(reason: string): void;
}

/** What happens on a connection of clients. */
export interface HttpServerHandler {
  /** A request. @returns who is told what follows its head */
  request(request: HttpRequest, answer: HttpAnswer): HttpReader;
  /** Bytes that are no valid request. They were answered. */
  refused(reason: string, message: string): void;
  /** Called once, after every request was told. */
  closed(reason: string): void;
}

/** A connection on which we send requests. */
export interface HttpClientConnection {
  readonly version: "1.1" | "2";
  /** How many more requests may be sent now. */
  readonly room: number;
  /** Requests that are not over. */
  readonly open: number;
  /**
   * Sends a request's head.
   * @throws Error where there is no {@link room}; Http1Error for what HTTP/1 cannot say. Nothing was sent then
   */
  request(request: HttpRequest, changes: HeadChanges, reader: HttpResponseReader): HttpWriter;
  /** No more requests: it ends with what it is at. */
  drain(): void;
  destroy(reason: string): void;
}

/** What happens on a connection to a server, beside its responses. */
export interface HttpClientHandler {
  /** There is room for another request. */
  idle(): void;
  /** Takes no more requests; called before {@link closed}, at most once. */
  leaving(): void;
  closed(reason: string): void;
}
