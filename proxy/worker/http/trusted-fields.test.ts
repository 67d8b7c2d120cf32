import { expect, test } from "vitest";
import { ip, spiffe } from "#mesh/testing/examples.ts";
import { field } from "#wire/http1/head.ts";
import { without } from "../../http/heads.ts";
import type { HeadChanges } from "../../http/message.ts";
import { arrivingChanges, claimedRequestId, leavingChanges, withoutError } from "./trusted-fields.ts";

const OWN = spiffe("spiffe://cluster.local/ns/shop/sa/web");
const PEER = spiffe("spiffe://cluster.local/ns/shop/sa/client");

/** What is left of claims, and what is set. */
const applied = ({ remove, add }: HeadChanges, ...names: readonly string[]): readonly string[] => [
  ...without(
    names.map((name) => field(name, "claimed")),
    remove,
  ).map(({ name }) => name),
  ...add.map(({ name, value }) => `${name}: ${value}`),
];

const CLAIMS = [
  "X-Forwarded-For",
  "x-forwarded-for",
  "X-FORWARDED-CLIENT-CERT",
  "x-forwarded-client-cert",
  // Servers that make variables of fields (CGI, WSGI) cannot tell these from the others.
  "x_forwarded_for",
  "X-Forwarded_Client-Cert",
  "x_forwarded_client_cert",
  "x-heddle-error",
  "X_Heddle_Error",
];

test("a pod claims nothing: what leaves it has a new id, and no word of who it comes from", () => {
  expect(applied(leavingChanges("id-1", []), ...CLAIMS, "X-Request-Id", "x_request_id", "x-other")).toEqual([
    "x-other",
    "x-request-id: id-1",
  ]);
});

test("what reaches a pod says the address that it came from, and who has proven to be there", () => {
  expect(applied(arrivingChanges(ip("10.1.1.1"), OWN, PEER, undefined), ...CLAIMS, "x-request-id")).toEqual([
    "x-request-id",
    "x-forwarded-for: 10.1.1.1",
    `x-forwarded-client-cert: By=${OWN};URI=${PEER}`,
  ]);
});

test("who has proven nothing is nobody, and has a new id", () => {
  expect(applied(arrivingChanges(ip("fd00::1"), OWN, undefined, "id-2"), ...CLAIMS, "x-request-id")).toEqual([
    "x-forwarded-for: fd00::1",
    "x-request-id: id-2",
  ]);
});

test.each([
  ["one", ["a1b2-c3"], "a1b2-c3"],
  ["none", [], undefined],
  ["two", ["a", "b"], undefined],
  ["an empty one", [""], undefined],
  ["one with blanks", ["a b"], undefined],
  ["one that is longer than any", ["x".repeat(129)], undefined],
])("the id of a caller's proxy is taken where there is one that could be: %s", (_, ids, expected) => {
  expect(claimedRequestId(ids.map((id) => field("X-Request-ID", id)))).toBe(expected);
});

test("an application cannot say that the mesh has failed, and loses nothing else", () => {
  const fields = [field("X-Heddle-Error", "no-route"), field("x_heddle-error", "b"), field("x-heddle", "c")];
  expect(withoutError(fields)).toEqual([field("x-heddle", "c")]);
  const clean = [field("a", "b")];
  expect(withoutError(clean)).toBe(clean);
});
