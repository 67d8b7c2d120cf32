import { expect, test } from "vitest";
import { FakeAnswer, fieldsOf, httpRequest } from "../../testing/fake-http.ts";
import { answerError, upstreamError } from "./mesh-error.ts";

const ERROR = upstreamError("no-endpoint", "web.shop:80 has no endpoint that is ready");

const answered = (request: Parameters<typeof httpRequest>[0], error = ERROR) => {
  const answer = new FakeAnswer();
  answerError(httpRequest(request), answer, error);
  const [head] = answer.heads;
  const fields = Object.fromEntries((head?.fields ?? []).map(({ name, value }) => [name, value]));
  return { answer, head, fields };
};

test("an error is a status, a code for programs and a sentence for people", () => {
  const { answer, head, fields } = answered({});
  const text = "heddle: web.shop:80 has no endpoint that is ready\n";
  expect(head).toMatchObject({ status: 503, isEnd: false, contentLength: text.length });
  expect(fields).toEqual({
    "content-type": "text/plain",
    "x-heddle-error": "no-endpoint",
    "content-length": String(text.length),
  });
  expect([answer.content, answer.hasEnded]).toEqual([text, true]);
});

test("to HEAD the sentence is not sent, only its length", () => {
  const { answer, head, fields } = answered({ method: "HEAD" });
  expect([answer.content, head?.isEnd, Number(fields["content-length"]) > 0]).toEqual(["", true, true]);
});

test.each(["application/grpc", "application/grpc+proto", "application/grpc;x=y"])(
  "to gRPC (%s) it is a head alone with the status of gRPC",
  (type) => {
    const { answer, head, fields } = answered({ method: "POST", fields: fieldsOf({ "content-type": type }) });
    expect(head).toMatchObject({ status: 200, isEnd: true });
    expect(fields).toEqual({
      "content-type": "application/grpc",
      "grpc-status": "14",
      "grpc-message": "web.shop:80 has no endpoint that is ready",
      "x-heddle-error": "no-endpoint",
    });
    expect([answer.content, answer.hasEnded]).toEqual(["", true]);
  },
);

test("gRPC-Web has its errors as HTTP has", () => {
  const { head } = answered({ fields: fieldsOf({ "content-type": "application/grpc-web" }) });
  expect(head?.status).toBe(503);
});

test("a message of gRPC is visible ASCII, whatever is in it", () => {
  const message = "100 % of \u201Cweb\u201D\r\nx-evil: 1\u{1F4A5}";
  const { fields } = answered({ fields: fieldsOf({ "content-type": "application/grpc" }) }, { ...ERROR, message });
  expect(fields["grpc-message"]).toMatch(/^[\x20-\x7e]*$/);
  expect(decodeURIComponent(fields["grpc-message"] ?? "")).toBe(message);
});

test("a sentence of any characters has the length that it has in bytes", () => {
  const { answer, head } = answered({}, { ...ERROR, message: "\u201Cweb\u201D" });
  expect(head?.contentLength).toBe(answer.content.length);
});
