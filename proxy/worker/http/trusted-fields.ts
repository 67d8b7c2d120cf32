import type { IpAddress } from "#mesh/ip-address.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import type { Field } from "#wire/field.ts";
import { isNamed } from "#wire/http1/characters.ts";
import { field } from "#wire/http1/head.ts";
import { without } from "../../http/heads.ts";
import type { HeadChanges } from "../../http/message.ts";
import { ERROR_FIELD } from "./mesh-error.ts";

/*
 * Who says what about a request. One rule: what stands in these fields was set by the proxies of the mesh from what they have
 * verified; what a pod, or anybody outside the mesh, claims in them is taken out.
 *
 *     x-request-id              set by the caller's proxy, new for each request; by the called pod's proxy where there was none
 *     x-forwarded-for           set by the called pod's proxy: the address that the connection came from
 *     x-forwarded-client-cert   set by the called pod's proxy: `By=` its own identity, `URI=` the verified one of the caller;
 *                               none where nobody proved anything
 *     x-heddle-error            set by proxies alone, in answers
 *
 * It holds for trailers, too, and for names with `_` instead of `-`.
 */

const REQUEST_ID = "x-request-id";
const FORWARDED_FOR = "x-forwarded-for";
const CLIENT_CERT = "x-forwarded-client-cert";

/** A name in all ways to write it: to servers that make variables of fields, `_` is the same as `-`. */
const spellings = (name: string): readonly string[] => {
  const [first = "", ...rest] = name.split("-");
  return rest.reduce<readonly string[]>(
    (begun, part) => begun.flatMap((before) => [`${before}-${part}`, `${before}_${part}`]),
    [first],
  );
};

const CLAIMS_BUT_ID: ReadonlySet<string> = new Set([FORWARDED_FOR, CLIENT_CERT, ERROR_FIELD].flatMap(spellings));
const CLAIMS: ReadonlySet<string> = new Set([...CLAIMS_BUT_ID, ...spellings(REQUEST_ID)]);
const ERRORS: ReadonlySet<string> = new Set(spellings(ERROR_FIELD));

/** Fields of an application's, which cannot say that the mesh has failed. */
export const withoutError = (fields: readonly Field[]): readonly Field[] => without(fields, ERRORS);

/** The id that the caller's proxy has given a request; undefined where there is not exactly one that could be. */
export const claimedRequestId = (fields: readonly Field[]): string | undefined => {
  let id: string | undefined;
  for (const { name, value } of fields) {
    if (!isNamed(name, REQUEST_ID)) continue;
    if (id !== undefined) return undefined;
    id = value;
  }
  return id !== undefined && /^[\x21-\x7e]{1,128}$/.test(id) ? id : undefined;
};

/** Of a request that leaves its pod. */
export const leavingChanges = (requestId: string, added: readonly Field[]): HeadChanges => ({
  remove: CLAIMS,
  add: [field(REQUEST_ID, requestId), ...added],
});

/**
 * Of a request that reaches a pod.
 * @param peer verified; undefined for plaintext
 * @param requestId to set; undefined to leave that of the caller's proxy
 */
export const arrivingChanges = (
  source: IpAddress,
  own: SpiffeId,
  peer: SpiffeId | undefined,
  requestId: string | undefined,
): HeadChanges => {
  const add = [field(FORWARDED_FOR, source)];
  if (peer !== undefined) add.push(field(CLIENT_CERT, `By=${own};URI=${peer}`));
  if (requestId !== undefined) add.push(field(REQUEST_ID, requestId));
  return { remove: requestId === undefined ? CLAIMS_BUT_ID : CLAIMS, add };
};
