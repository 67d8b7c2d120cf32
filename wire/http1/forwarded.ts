import { isNamed } from "./characters.ts";
import {
  field,
  type ReceivedRequestHead,
  type ReceivedResponseHead,
  type RequestHead,
  type ResponseHead,
} from "./head.ts";
import { endToEndFields, type IsProtected } from "./hop-by-hop.ts";

/**
 * The request as the next hop shall see it: without the fields of this connection, and an absolute-form target in origin-form
 * with its authority as Host (RFC 9112 section 3.2.2). An expectation of HTTP/1.0 is none (RFC 9110 section 10.1.1) and must not
 * become one by our version. Changes that filters make start from here.
 */
export const forwardedRequest = (head: ReceivedRequestHead, isProtected?: IsProtected): RequestHead => {
  const { method, version, framing, parsedTarget: target } = head;
  const endToEnd = endToEndFields(head.fields, isProtected);
  const fields = version === "1.0" ? endToEnd.filter(({ name }) => !isNamed(name, "expect")) : endToEnd;
  if (target.kind !== "absolute") return { method, target: head.target, version, fields, framing };
  const rest = fields.filter(({ name }) => !isNamed(name, "host"));
  const host = field(fields.find(({ name }) => isNamed(name, "host"))?.name ?? "Host", target.authorityText);
  return { method, target: target.path, version, fields: [host, ...rest], framing };
};

/** The response as the next hop shall see it. */
export const forwardedResponse = (head: ReceivedResponseHead, isProtected?: IsProtected): ResponseHead => {
  const { status, reason, version, framing } = head;
  return { status, reason, version, fields: endToEndFields(head.fields, isProtected), framing };
};
