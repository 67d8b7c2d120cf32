import { isGrpc } from "#mesh/routes/request-facts.ts";
import { field } from "#wire/http1/head.ts";
import type { HttpAnswer, HttpRequest, HttpResponse } from "../../http/message.ts";
import type { HttpResponseFlag } from "../vitals/http-response-flag.ts";

/** The field by which an answer of the mesh is told from one of the application; applications cannot send it. */
export const ERROR_FIELD = "x-heddle-error";

/** What the proxy of an endpoint says when it did not begin to send the request to its application. */
export const UNREACHED_CODES: ReadonlySet<string> = new Set(["connect-failed", "connect-timeout", "no-socket"]);

/** An answer that the mesh gives by itself. */
export interface MeshError {
  readonly status: number;
  readonly grpcStatus: GrpcStatus;
  /** Stable, for programs. */
  readonly code: string;
  /** A sentence for people. */
  readonly message: string;
  readonly flag: HttpResponseFlag;
}

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export type GrpcStatus = keyof typeof GRPC_CODES;

export const GRPC_CODES = {
  DEADLINE_EXCEEDED: 4,
  PERMISSION_DENIED: 7,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** Answers a request; for gRPC in the head alone, with status 200 (gRPC over HTTP/2, "Trailers-Only"). */
export const answerError = (request: HttpRequest, answer: HttpAnswer, error: MeshError): void => {
  if (isGrpc(request)) answer.head(grpcResponse(error));
  else {
    const text = Buffer.from(`heddle: ${error.message}\n`);
    const isWithout = request.method === "HEAD";
    answer.head(
      response(error.status, [field("content-type", "text/plain"), ...errorFields(error)], text.length, isWithout),
    );
    if (!isWithout) answer.write(text);
  }
  answer.end([]);
};

const grpcResponse = (error: MeshError): HttpResponse =>
  response(
    200,
    [
      field("content-type", "application/grpc"),
      field("grpc-status", String(GRPC_CODES[error.grpcStatus])),
      field("grpc-message", percentEncode(error.message)),
      ...errorFields(error),
    ],
    undefined,
    true,
  );

const errorFields = ({ code }: MeshError) => [field(ERROR_FIELD, code)];

/** A response that the mesh makes. @param contentLength undefined for none */
export const response = (
  status: number,
  fields: HttpResponse["fields"],
  contentLength: number | undefined,
  isEnd: boolean,
): HttpResponse => ({
  status,
  fields: contentLength === undefined ? fields : [...fields, field("content-length", String(contentLength))],
  isEnd,
  contentLength,
  upgrade: [],
  received: undefined,
});

/** `grpc-message` is visible ASCII but `%`; everything else is percent-encoded as UTF-8. */
const percentEncode = (text: string): string =>
  text.replaceAll(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character));

/** The worker has no descriptor for another connection. */
export const TOO_MANY_OPEN_FILES: MeshError = {
  status: 503,
  grpcStatus: "UNAVAILABLE",
  code: "too-many-open-files",
  message: "the proxy may open no more files; its log says more",
  flag: "UF",
};

/** What the mesh says when the way to an endpoint failed, whatever the reason. */
export const upstreamError = (code: string, message: string, flag: HttpResponseFlag = "UF"): MeshError => ({
  status: 503,
  grpcStatus: "UNAVAILABLE",
  code,
  message,
  flag,
});

/** Routes hold, and none of their rules matches: the Service is not served past them. */
export const NO_ROUTE: MeshError = {
  status: 404,
  grpcStatus: "UNIMPLEMENTED",
  code: "no-route",
  message: "no rule of the routes of this service matches the request",
  flag: "NR",
};

export const MISTAKE: MeshError = {
  status: 500,
  grpcStatus: "INTERNAL",
  code: "internal-error",
  message: "a mistake of the proxy's; see its log",
  flag: "UF",
};

/** Something took longer than the route lets it. */
export const timeoutError = (code: string, what: string, ms: number): MeshError => ({
  status: 504,
  grpcStatus: "DEADLINE_EXCEEDED",
  code,
  message: `${what} took longer than ${ms} ms`,
  flag: "UT",
});
