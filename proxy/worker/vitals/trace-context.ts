import { isNamed } from "#mesh/routes/field.ts";
import type { Field } from "#wire/field.ts";
import { parseTraceParent } from "#wire/hbone/traceparent.ts";
import { randomHex } from "../random-hex.ts";

/*
 * The mesh exports no spans. What applications say of their traces therefore goes through unchanged, and nothing is added:
 *
 *   - a parent id of ours would be a span that nobody ever reports, and tear the trace apart (Trace Context section 3.4, of
 *     systems that take no part);
 *   - a `traceparent` for who sent none would decide for the application that is called whether it samples: its SDK follows
 *     the flag of its parent, and has a rate of its own only where there is none.
 *
 * Lines of the log are found by the application's trace id where there is one. Where there is none the request's own id serves,
 * which both sides of the mesh know.
 */

/**
 * The trace id under which a request is logged: of W3C's `traceparent`, else of B3, in one field or several, else one that
 * begins here. Both sides of the mesh come to the same.
 * @param requestId `x-request-id` as proxies of the mesh set it: a UUID. For what is none the trace begins here.
 * @returns 32 lower-case hex digits, not all zero
 */
export const requestTraceId = (fields: readonly Field[], requestId: string): string =>
  w3cTraceId(fields) ?? b3TraceId(fields) ?? idOfUuid(requestId) ?? randomHex(16);

/** A second field makes both invalid: which of them holds is not said (Trace Context section 3.2). */
const w3cTraceId = (fields: readonly Field[]): string | undefined => {
  const [value, ...others] = valuesOf(fields, "traceparent");
  return value === undefined || others.length > 0 ? undefined : parseTraceParent(value)?.traceId;
};

/**
 *     b3 = trace-id "-" span-id [ "-" sampling [ "-" parent-span-id ] ]  /  sampling         https://github.com/openzipkin/b3-propagation
 *
 * The single field goes before the several ones, of which the first value holds.
 */
const b3TraceId = (fields: readonly Field[]): string | undefined => {
  const [single] = valuesOf(fields, "b3");
  if (single !== undefined) return b3Id(B3.exec(single)?.[1]);
  return b3Id(valuesOf(fields, "x-b3-traceid")[0]);
};

const B3 = /^([0-9a-f]+)-[0-9a-f]{16}(?:-[01d](?:-[0-9a-f]{16})?)?$/;

/** Of 64 or 128 bits; the former are filled up with zeros, as W3C's are that came from there. */
const b3Id = (text: string | undefined): string | undefined =>
  text !== undefined && /^(?:[0-9a-f]{16}){1,2}$/.test(text) && NOT_ZERO.test(text)
    ? text.padStart(32, "0")
    : undefined;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NOT_ZERO = /[1-9a-f]/;

const idOfUuid = (text: string): string | undefined =>
  UUID.test(text) && NOT_ZERO.test(text) ? text.replaceAll("-", "") : undefined;

const valuesOf = (fields: readonly Field[], name: string): readonly string[] =>
  fields.filter((field) => isNamed(field, name)).map(({ value }) => value);
