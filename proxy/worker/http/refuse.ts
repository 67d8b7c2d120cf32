import { isGrpc } from "#mesh/routes/request-facts.ts";
import type { HttpAnswer, HttpReader, HttpRequest } from "../../http/message.ts";
import type { RequestRecord } from "../vitals/request-record.ts";
import { Discarding } from "./discarding.ts";
import { answerError, type MeshError } from "./mesh-error.ts";

/** Answers a request that goes no further. @returns who reads what the client still sends */
export const refuse = (
  request: HttpRequest,
  answer: HttpAnswer,
  record: RequestRecord,
  error: MeshError,
): HttpReader => {
  record.responded(isGrpc(request) ? 200 : error.status);
  answerError(request, answer, error);
  record.close(error.flag, { reason: error.code, message: error.message });
  return new Discarding(answer);
};
