import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fieldList } from "#mesh/testing/routes.ts";
import type { SessionPersistence } from "#mesh/routes/route.ts";
import {
  endpointMark,
  formatToken,
  parseToken,
  ruleScope,
  serviceScope,
  sessionField,
  sessionOf,
} from "./session-persistence.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const HOUR = 3_600_000;
const SCOPE = ruleScope({ namespace: "shop", name: "web" }, 0);
const WEB_0 = "Kubernetes//Pod/shop/web-0";

const cookie = (changes: Partial<Extract<SessionPersistence, { kind: "cookie" }>> = {}): SessionPersistence => ({
  kind: "cookie",
  absoluteTimeoutMs: undefined,
  name: "session",
  path: "/",
  isPermanent: false,
  ...changes,
});
const header: SessionPersistence = { kind: "header", name: "x-session", absoluteTimeoutMs: undefined };

/** The value that a client sends back of a field with which a session began. */
const returned = (session: SessionPersistence, scope = SCOPE, now = NOW): string =>
  sessionField(session, scope, WEB_0, now).value.split(";")[0] ?? "";
const TOKEN = returned(header);
const found = (session: SessionPersistence, field: readonly [string, string], now = NOW, scope = SCOPE) =>
  sessionOf(session, scope, fieldList(field), now);

test("a token comes back as what it was made of, and another text is none", () => {
  const ends = fc.oneof(
    fc.nat(2 ** 31).map((seconds) => (seconds + 1) * 1_000),
    fc.constant(Infinity),
  );
  fc.assert(
    fc.property(fc.string(), ends, (uid, endsMs) => {
      const token = { mark: endpointMark(SCOPE, uid), endsMs };
      expect(parseToken(formatToken(token))).toEqual(token);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 40 }), fc.stringMatching(/^[A-Za-z0-9_-]{26}$/)), (text) => {
      const token = parseToken(text);
      if (token) expect(formatToken(token)).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});

test("a session is found again by what the client was given", () => {
  const session = { mark: endpointMark(SCOPE, WEB_0), endsMs: Infinity };
  expect(found(header, ["X-Session", returned(header)])).toEqual(session);
  expect(found(cookie(), ["cookie", returned(cookie())])).toEqual(session);
  expect(found(cookie(), ["Cookie", `a=b; ${returned(cookie())}; c="d"`])).toEqual(session);
  const split = fieldList(["cookie", "session=old"], ["cookie", returned(cookie())]);
  expect(sessionOf(cookie(), SCOPE, split, NOW)).toEqual(session);
});

test.each<[string, SessionPersistence, readonly [string, string]]>([
  ["nothing", cookie(), ["accept", "*/*"]],
  ["another cookie", cookie(), ["cookie", `other=${TOKEN}; xsession=${TOKEN}`]],
  ["a cookie of whoever", cookie(), ["cookie", "session=JSESSIONID-1234"]],
  ["a token that was cut", cookie(), ["cookie", `session=${TOKEN.slice(1)}`]],
  ["a token and more", cookie(), ["cookie", `session=${TOKEN}A`]],
  ["a token of another version", header, ["x-session", `Ag${TOKEN.slice(2)}`]],
  ["nothing in the header", header, ["x-session", ""]],
  ["a token where a header is asked for and a cookie was sent", header, ["cookie", `x-session=${TOKEN}`]],
])("%s is no session", (_, session, field) => {
  expect(found(session, field)).toBeUndefined();
});

test("a token names an endpoint in its own scope only, and shows nothing of it", () => {
  const scopes = [SCOPE, ruleScope({ namespace: "shop", name: "web" }, 1), serviceScope("shop/web")];
  const marks = scopes.map((scope) => endpointMark(scope, WEB_0));
  expect(new Set(marks).size).toBe(3);
  expect(Buffer.from(TOKEN, "base64url").toString("latin1")).not.toMatch(/web|shop|10\.|Pod/);
  expect(TOKEN.length).toBe(26);
});

test("a session ends at its absolute timeout, counted from its beginning", () => {
  for (const session of [cookie({ absoluteTimeoutMs: HOUR }), { ...header, absoluteTimeoutMs: HOUR }]) {
    const field = [session.kind === "cookie" ? "cookie" : "x-session", returned(session)] as const;
    expect(found(session, field, NOW + HOUR - 1)).toMatchObject({ endsMs: NOW + HOUR });
    expect(found(session, field, NOW + HOUR)).toBeUndefined();
  }
});

test("nobody gives himself a longer session than the timeout allows, nor one without end", () => {
  const session = cookie({ absoluteTimeoutMs: HOUR });
  const made = (endsMs: number) => `session=${formatToken({ mark: endpointMark(SCOPE, WEB_0), endsMs })}`;
  expect(found(session, ["cookie", made(NOW + HOUR)])).toBeDefined();
  expect(found(session, ["cookie", made(NOW + 2 * HOUR)])).toBeUndefined();
  expect(found(session, ["cookie", made(Infinity)])).toBeUndefined();
});

test("a cookie is for the session of the client, or until the timeout where it is permanent", () => {
  const value = (session: SessionPersistence) => sessionField(session, SCOPE, WEB_0, NOW);
  expect(value(cookie())).toMatchObject({
    name: "set-cookie",
    value: expect.stringMatching(/^session=[\w-]{26}; Path=\/; HttpOnly; SameSite=Strict$/),
  });
  expect(value(cookie({ absoluteTimeoutMs: 1_500, isPermanent: true, path: "/cart" })).value).toMatch(
    /; Path=\/cart; Max-Age=2; HttpOnly; SameSite=Strict$/,
  );
  expect(value(cookie({ absoluteTimeoutMs: 1_500 })).value).not.toMatch(/Max-Age/);
  expect(value(header)).toMatchObject({ name: "x-session", value: expect.stringMatching(/^[\w-]{26}$/) });
});

test("without a name of its own each scope has another cookie", () => {
  const nameOf = (scope: string) => sessionField(cookie({ name: undefined }), scope, WEB_0, NOW).value.split("=")[0];
  expect(nameOf(SCOPE)).toMatch(/^heddle-session-[0-9a-f]{8}$/);
  expect(nameOf(SCOPE)).not.toBe(nameOf(serviceScope("shop/web")));
  const field = ["cookie", returned(cookie({ name: undefined }))] as const;
  expect(found(cookie({ name: undefined }), field)).toBeDefined();
});
