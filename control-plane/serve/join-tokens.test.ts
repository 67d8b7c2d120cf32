import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT, UnsecuredJWT } from "jose";
import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { loadJoinKey } from "./join-key.ts";
import { JoinTokens } from "./join-tokens.ts";

const KEY = randomBytes(32);
const HOUR_MS = 3_600_000;

const setUp = () => {
  const clock = new ManualClock();
  return { clock, tokens: new JoinTokens(KEY, clock) };
};

test("a token proves which node holds it, for as long as it says", async () => {
  const { clock, tokens } = setUp();
  const { token, expiresAt } = await tokens.issue("node-1", HOUR_MS);
  expect(expiresAt).toBe(clock.now() + HOUR_MS);
  expect(await tokens.verify(token)).toEqual({ ok: true, value: { node: "node-1", expiresAt } });
  clock.advance(HOUR_MS - 1_000);
  expect((await tokens.verify(token)).ok).toBe(true);
  clock.advance(1_000);
  expect(await tokens.verify(token)).toMatchObject({
    ok: false,
    error: expect.stringMatching(/JWT_EXPIRED/) as string,
  });
});

const handMade = async (
  clock: ManualClock,
  change: (token: SignJWT) => SignJWT,
  key: Uint8Array = KEY,
  algorithm = "HS256",
): Promise<string> => {
  const now = clock.now() / 1000;
  const token = new SignJWT().setProtectedHeader({ alg: algorithm });
  return change(
    token
      .setAudience("heddle-control-plane")
      .setSubject("node-1")
      .setExpirationTime(now + 60),
  ).sign(key);
};

test("T-23: the hand-made token of these tests is good where nothing is changed", async () => {
  const { clock, tokens } = setUp();
  expect((await tokens.verify(await handMade(clock, (token) => token))).ok).toBe(true);
});

test.each<[string, (clock: ManualClock) => Promise<string>]>([
  ["for another audience", (clock) => handMade(clock, (token) => token.setAudience("istio-ca"))],
  ["under another key", (clock) => handMade(clock, (token) => token, randomBytes(32))],
  ["under another algorithm", (clock) => handMade(clock, (token) => token, KEY, "HS512")],
  ["that is not yet valid", (clock) => handMade(clock, (token) => token.setNotBefore(clock.now() / 1000 + 30))],
  ["for a subject that is no node", (clock) => handMade(clock, (token) => token.setSubject("../node-1"))],
  ["for nobody", (clock) => handMade(clock, (token) => token.setSubject(""))],
  [
    "without an end",
    async () =>
      new SignJWT()
        .setProtectedHeader({ alg: "HS256" })
        .setAudience("heddle-control-plane")
        .setSubject("node-1")
        .sign(KEY),
  ],
  [
    "without a signature",
    (clock) =>
      Promise.resolve(
        new UnsecuredJWT()
          .setAudience("heddle-control-plane")
          .setSubject("node-1")
          .setExpirationTime(clock.now() / 1000 + 60)
          .encode(),
      ),
  ],
  ["that is no token", () => Promise.resolve("a.b.c")],
  ["that is nothing", () => Promise.resolve("")],
])("T-23: a token %s is refused", async (_, make) => {
  const { clock, tokens } = setUp();
  expect((await tokens.verify(await make(clock))).ok).toBe(false);
});

test("T-23: a token without end is refused before anybody looks into it", async () => {
  const { tokens } = setUp();
  expect(await tokens.verify("a".repeat(10_000))).toEqual({ ok: false, error: "a token of 10000 characters" });
});

test("a key that is too short is none", () => {
  expect(() => new JoinTokens(randomBytes(31), new ManualClock())).toThrow(/too short/);
});

test("the key is kept for its owner alone, and is the same after a restart", () => {
  const directory = join(temporaryDirectory(), "ca");
  const key = unwrap(loadJoinKey(directory, randomBytes));
  const path = join(directory, "join-token.key");
  expect([statSync(directory).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
  expect(Buffer.compare(unwrap(loadJoinKey(directory, randomBytes)), key)).toBe(0);
});

test("a damaged key is said to be, and left alone", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "join-token.key");
  writeFileSync(path, "short");
  expect(loadJoinKey(directory, randomBytes)).toMatchObject({
    ok: false,
    error: expect.stringContaining(path) as string,
  });
  expect(readFileSync(path, "utf8")).toBe("short");
});
