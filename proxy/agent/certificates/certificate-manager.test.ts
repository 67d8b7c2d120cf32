import { randomBytes } from "node:crypto";
import { expect, test, vi } from "vitest";
import { issueLeaf } from "#certs/issue/authority.ts";
import { formatIssuedChain } from "#certs/issue/issued-chain.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import { parseCsr } from "#certs/x509/csr.ts";
import { exportPublicKey, generateKeyPair } from "#certs/x509/key-pair.ts";
import { unwrap } from "#mesh/result.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import { ManualClock, settled } from "#mesh/testing/manual-clock.ts";
import type { CertificateOwner } from "./certificate-entry.ts";
import { CertificateManager, type CertificateManagerOptions } from "./certificate-manager.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.parse("2026-01-01T00:00:00Z");

const authority = testAuthority("cluster.local", START);
const stranger = testAuthority("cluster.local", START);

const foreigner = testAuthority("other.example", START);

const web: CertificateOwner = { identity: authority.id("shop/web"), worker: 0 };
const cart: CertificateOwner = { identity: authority.id("shop/cart"), worker: 0 };

type Sign = CertificateManagerOptions["sign"];

/** What a CA may do differently from what it was asked for. */
interface Deviation {
  readonly as?: string;
  readonly lifetimeMs?: number;
  readonly issuedAt?: number;
  readonly ofAnotherKey?: boolean;
  readonly by?: typeof authority;
}

/** The answer of a CA at a time. */
const answerTo = (csr: string, lifetimeMs: number, now: number, deviation: Deviation = {}): readonly string[] => {
  const { id, publicKey } = unwrap(parseCsr(csr));
  const { as, by = authority, issuedAt = now, ofAnotherKey = false } = deviation;
  const request = {
    id: as === undefined ? id : authority.id(as),
    publicKey: ofAnotherKey ? generateKeyPair().publicKey : publicKey,
    lifetimeMs: deviation.lifetimeMs ?? lifetimeMs,
  };
  const leaf = unwrap(issueLeaf(by.issuing, request, { now: issuedAt, random: randomBytes }));
  return formatIssuedChain([leaf, by.issuing.certificate], by.bundle);
};

/** A manager with a CA that does as it is asked, until a test says otherwise. */
const managed = ({ random = 0.5 } = {}) => {
  const clock = new ManualClock(START);
  const sign = vi.fn<Sign>((csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now())));
  const onIssued = vi.fn<(owner: CertificateOwner, credentials: Credentials) => void>();
  const onProblem = vi.fn<(owner: CertificateOwner, problem: string) => void>();
  const bundle = vi.fn<(trustDomain: string) => TrustBundle | undefined>(() => authority.bundle);
  const options = { sign, bundle, lifetimeMs: DAY_MS, onIssued, onProblem, clock, random: () => random };
  const manager = new CertificateManager(options);
  const held = (worker = 0): readonly Credentials[] => manager.heldFor(worker).map(({ credentials }) => credentials);
  /** When the CA was asked, in milliseconds since the start. */
  const askedAt: number[] = [];
  const noting =
    (answer: Sign): Sign =>
    (csr, owner, lifetimeMs) => {
      askedAt.push(clock.now() - START);
      return answer(csr, owner, lifetimeMs);
    };
  return { clock, sign, onIssued, onProblem, bundle, manager, held, askedAt, noting };
};

const refusing: Sign = () => Promise.reject(new Error("the CA is down"));

test("a certificate is fetched as soon as it is needed, for the identity and a key of our own", async () => {
  const { manager, onIssued, held, sign } = managed();
  expect(manager.want([web])).toEqual([]);
  await settled();
  expect(onIssued).toHaveBeenCalledExactlyOnceWith(web, held()[0]);
  expect(held()).toMatchObject([{ id: web.identity, notAfter: START + DAY_MS }]);
  expect(sign.mock.calls[0]?.slice(1)).toEqual([web, DAY_MS]);
});

test("what is needed already is not asked for again", async () => {
  const { manager, sign } = managed();
  manager.want([web, web]);
  manager.want([web, cart]);
  await settled();
  manager.want([cart, web]);
  await settled();
  expect(sign).toHaveBeenCalledTimes(2);
});

test("every worker that an identity lives in has a key of its own, and no other worker's", async () => {
  const { manager, held } = managed();
  manager.want([web, { ...web, worker: 1 }]);
  await settled();
  const [first, second] = [held(0), held(1)];
  expect([first.length, second.length, held(2).length]).toEqual([1, 1, 0]);
  expect(first.map(({ key }) => exportPublicKey(key))).not.toEqual(second.map(({ key }) => exportPublicKey(key)));
});

test.each([
  [0, 0.45],
  [0.5, 0.5],
  [1, 0.55],
])("with the random number %d a certificate is renewed after %d of its life", async (random, part) => {
  const { manager, clock, sign, held } = managed({ random });
  manager.want([web]);
  await clock.pass(DAY_MS * part - 1);
  expect(sign).toHaveBeenCalledTimes(1);
  const [old] = held();
  await clock.pass(1);
  expect(sign).toHaveBeenCalledTimes(2);
  expect(held()).toMatchObject([{ notAfter: START + DAY_MS * (1 + part) }]);
  expect(held()[0]).not.toBe(old);
});

test("every renewal has a new key, and its certificate replaces the older one", async () => {
  const { manager, clock, held, onIssued } = managed();
  manager.want([web]);
  await clock.pass(3 * DAY_MS);
  const keys = onIssued.mock.calls.map(([, { key }]) => exportPublicKey(key).toString());
  expect(keys.length).toBe(7);
  expect(new Set(keys).size).toBe(7);
  expect(held()).toEqual([onIssued.mock.calls.at(-1)?.[1]]);
});

/** T-22: what a CA may answer that must not replace what works. */
const WRONG_ANSWERS: Readonly<Record<string, Deviation & { readonly problem: RegExp }>> = {
  "is for another key": { ofAnotherKey: true, problem: /another key/ },
  "is for another identity": { as: "shop/admin", problem: /asked the CA for .*web, got .*admin/ },
  "lives longer than was asked": { lifetimeMs: 2 * DAY_MS, problem: /ends at/ },
  "has not begun": { issuedAt: START + DAY_MS * 0.6, lifetimeMs: DAY_MS / 10, problem: /cluster\.local/ },
  "is signed by somebody else": { by: stranger, problem: /cluster\.local/ },
};

test.each(Object.entries(WRONG_ANSWERS))(
  "a first certificate that %s is not used, and asked for again",
  async (_, wrong) => {
    const { manager, clock, sign, held, onIssued, onProblem } = managed();
    sign.mockImplementationOnce((csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now(), wrong)));
    manager.want([web]);
    await settled();
    expect([held(), onIssued.mock.calls]).toEqual([[], []]);
    expect(onProblem.mock.calls).toEqual([[web, expect.stringMatching(wrong.problem)]]);
    expect(manager.missing).toEqual([{ identity: web.identity, problem: onProblem.mock.calls[0]?.[1] }]);
    await clock.pass(SECOND_MS);
    expect([held().length, manager.missing]).toEqual([1, []]);
  },
);

test.each(Object.entries(WRONG_ANSWERS))(
  "a renewal that %s leaves the certificate that works in use",
  async (_, wrong) => {
    const { manager, clock, sign, held, onIssued, onProblem } = managed();
    manager.want([web]);
    await settled();
    const before = held();
    const answer: Sign = (csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now(), wrong));
    sign.mockImplementationOnce(answer);
    await clock.pass(DAY_MS / 2);
    expect(held()).toEqual(before);
    expect(onProblem.mock.calls).toEqual([[web, expect.stringMatching(wrong.problem)]]);
    expect(manager.status).toMatchObject([{ state: "failing", notAfter: new Date(START + DAY_MS).toISOString() }]);
    await clock.pass(SECOND_MS);
    expect(onIssued).toHaveBeenCalledTimes(2);
    expect(manager.status).toMatchObject([{ state: "valid", lastError: undefined }]);
  },
);

/** a CA that does not do its work. */
const FAILURES: Readonly<Record<string, Sign>> = {
  "is down": refusing,
  "answers with nothing": () => Promise.resolve([]),
  "answers with garbage": () =>
    Promise.resolve(["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x"]),
  "answers with megabytes": () => Promise.resolve([`${"A".repeat(64)}\n`.repeat(40_000), ""]),
  "answers with a hundred certificates": (csr) => {
    const [leaf = "", issuing = "", roots = ""] = answerTo(csr, DAY_MS, START);
    return Promise.resolve([leaf, ...Array.from({ length: 100 }, () => issuing), roots]);
  },
  "answers with a certificate of another trust domain": (csr, _, lifetimeMs) => {
    const { publicKey } = unwrap(parseCsr(csr));
    const request = { id: foreigner.id("shop/web"), publicKey, lifetimeMs };
    const leaf = unwrap(issueLeaf(foreigner.issuing, request, { now: START, random: randomBytes }));
    return Promise.resolve(formatIssuedChain([leaf, foreigner.issuing.certificate], foreigner.bundle));
  },
  "answers with text": () => Promise.resolve(["<html>502 Bad Gateway</html>", ""]),
  // oxlint-disable-next-line typescript/prefer-promise-reject-errors
  "fails with what is no error": () => Promise.reject("no"),
  "throws at once": () => {
    throw new Error("the token cannot be read");
  },
};

test.each(Object.entries(FAILURES))(
  "a CA that %s is asked again, ever more slowly, until it works",
  async (_, failure) => {
    const { manager, clock, sign, held, askedAt, noting, onProblem } = managed();
    sign.mockImplementation(noting(failure));
    manager.want([web]);
    await clock.pass(16 * SECOND_MS);
    expect(askedAt).toEqual([0, 1, 3, 7, 15].map((seconds) => seconds * SECOND_MS));
    expect(onProblem).toHaveBeenCalledTimes(5);
    sign.mockImplementation((csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now())));
    await clock.pass(15 * SECOND_MS);
    expect([held().length, manager.missing]).toEqual([1, []]);
  },
);

test("the pause between attempts ends at 150 s, and is spread by a fifth", async () => {
  for (const [random, pause] of [
    [0.5, 150_000],
    [0, 120_000],
    [1, 180_000],
  ] as const) {
    const { manager, clock, sign, askedAt, noting } = managed({ random });
    sign.mockImplementation(noting(refusing));
    manager.want([web]);
    await clock.pass(HOUR_MS);
    const pauses = askedAt.map((at, index) => at - (askedAt[index - 1] ?? 0)).slice(1);
    expect(pauses.slice(0, 2)).toEqual([SECOND_MS, 2 * SECOND_MS].map((ms) => (ms * pause) / 150_000));
    expect(Math.max(...pauses)).toBe(pause);
  }
});

test("an attempt that works ends the pauses: the next failure begins with the first", async () => {
  const { manager, clock, sign, askedAt, noting } = managed();
  const works = noting((csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now())));
  sign.mockImplementation(noting(refusing));
  manager.want([web]);
  await clock.pass(5 * SECOND_MS);
  sign.mockImplementation(works);
  await clock.pass(2 * SECOND_MS);
  sign.mockImplementation(noting(refusing));
  await clock.pass(DAY_MS / 2 + 2 * SECOND_MS);
  const renewal = 7 * SECOND_MS + DAY_MS / 2;
  expect(askedAt.slice(0, 6)).toEqual([0, 1_000, 3_000, 7_000, renewal, renewal + 1_000]);
});

test("one identity that the CA refuses, or never answers for, does not delay another", async () => {
  const { manager, clock, sign, held, onIssued } = managed();
  const hung = Promise.withResolvers<readonly string[]>();
  sign.mockImplementation((csr, { identity }, lifetimeMs) => {
    if (identity === web.identity) return hung.promise;
    if (identity === cart.identity) return Promise.reject(new Error("refused"));
    return Promise.resolve(answerTo(csr, lifetimeMs, clock.now()));
  });
  const good = Array.from({ length: 30 }, (_, n) => ({ identity: authority.id(`shop/s${n}`), worker: 0 }));
  manager.want([web, cart, ...good]);
  await settled();
  expect(held().length).toBe(30);
  await clock.pass(DAY_MS / 2);
  expect(onIssued).toHaveBeenCalledTimes(60);
});

test("while the CA is away a certificate stays in use as long as it is good, and the last attempt comes 5 s before its end", async () => {
  const { manager, clock, sign, held, askedAt, noting } = managed();
  manager.want([web]);
  await settled();
  const before = held();
  sign.mockImplementation(noting(refusing));
  await clock.pass(DAY_MS - 1);
  expect(held()).toEqual(before);
  expect(manager.status).toMatchObject([{ state: "failing", lastError: "the CA is down" }]);
  expect(askedAt.at(0)).toBe(DAY_MS / 2);
  expect(askedAt).toContain(DAY_MS - 5 * SECOND_MS);
});

test("a certificate that ended is still tried to be replaced, without hurry", async () => {
  const { manager, clock, sign, held, askedAt, noting } = managed();
  manager.want([web]);
  await settled();
  sign.mockImplementation(noting(refusing));
  await clock.pass(DAY_MS);
  const attempts = askedAt.length;
  await clock.pass(HOUR_MS);
  expect(askedAt.length - attempts).toBeGreaterThan(20);
  expect(askedAt.length - attempts).toBeLessThan(30);
  sign.mockImplementation((csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now())));
  await clock.pass(150 * SECOND_MS);
  expect(held()).toMatchObject([{ notAfter: expect.closeTo(clock.now() + DAY_MS, -6) }]);
});

test("certificates that live ever shorter, as those of a CA that ends, are not fetched without pause", async () => {
  const { manager, clock, sign, askedAt, noting } = managed();
  const short = noting((csr, _, lifetimeMs) =>
    Promise.resolve(answerTo(csr, lifetimeMs, clock.now(), { lifetimeMs: SECOND_MS })),
  );
  sign.mockImplementation(short);
  manager.want([web]);
  await clock.pass(10 * SECOND_MS);
  expect(askedAt).toEqual(Array.from({ length: 11 }, (_, second) => second * SECOND_MS));
});

test("a clock that jumps, as that of a machine that slept, makes the renewal late by a minute and no more", async () => {
  const { manager, clock, sign } = managed();
  manager.want([web]);
  await clock.pass(HOUR_MS);
  clock.jump(DAY_MS);
  await clock.pass(60 * SECOND_MS);
  expect(sign).toHaveBeenCalledTimes(2);
});

const YEAR_MS = 365 * DAY_MS;

test("a clock that was years ahead while the CA was asked does not put off what comes when it is right again", async () => {
  const { manager, clock, sign, held, askedAt, noting } = managed();
  manager.want([web]);
  await settled();
  const before = held();
  clock.jump(10 * YEAR_MS);
  // By this clock every certificate of the CA, whose clock is right, has ended.
  sign.mockImplementation((csr, _, lifetimeMs) =>
    Promise.resolve(answerTo(csr, lifetimeMs, clock.now(), { issuedAt: clock.now() - 10 * YEAR_MS })),
  );
  await clock.pass(HOUR_MS);
  expect([held(), manager.status[0]?.lastError]).toEqual([
    before,
    expect.stringMatching(/expired at .* here it is 2035/),
  ]);
  clock.jump(-10 * YEAR_MS);
  sign.mockImplementation(noting((csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now()))));
  await clock.pass(150 * SECOND_MS);
  expect([askedAt.length, manager.status]).toEqual([1, [expect.objectContaining({ state: "valid" })]]);
});

test("when the clock was set, what failed is asked for at once, and nothing else", async () => {
  const { manager, sign, clock, held } = managed();
  sign.mockImplementation((csr, { identity }, lifetimeMs) =>
    identity === web.identity
      ? Promise.reject(new Error("certificate has expired"))
      : Promise.resolve(answerTo(csr, lifetimeMs, clock.now())),
  );
  manager.want([web, cart]);
  await clock.pass(HOUR_MS);
  sign.mockClear();
  sign.mockImplementation((csr, _, lifetimeMs) => Promise.resolve(answerTo(csr, lifetimeMs, clock.now())));
  manager.retryFailed();
  manager.retryFailed();
  await settled();
  expect([sign.mock.calls.length, held().length]).toEqual([1, 2]);
});

test("what is needed no more is forgotten, named, and never asked for again", async () => {
  const { manager, clock, sign, held } = managed();
  manager.want([web, cart]);
  await settled();
  expect(manager.want([cart])).toEqual([web]);
  expect(held()).toMatchObject([{ id: cart.identity }]);
  expect(manager.want([])).toEqual([cart]);
  await clock.pass(2 * DAY_MS);
  expect(sign).toHaveBeenCalledTimes(2);
  expect([held(), manager.status, clock.waiting]).toEqual([[], [], 0]);
});

test("an answer for an identity that is needed no more is thrown away, also when it is needed again meanwhile", async () => {
  const { manager, clock, sign, onIssued, onProblem, held } = managed();
  const answers: ((refused: boolean) => void)[] = [];
  sign.mockImplementation(
    (csr, _, lifetimeMs) =>
      new Promise((resolve, reject) => {
        answers.push((refused) =>
          refused ? reject(new Error("refused")) : resolve(answerTo(csr, lifetimeMs, clock.now())),
        );
      }),
  );
  for (const refused of [false, true]) {
    manager.want([web]);
    manager.want([]);
    answers.shift()?.(refused);
  }
  manager.want([web]);
  manager.want([]);
  manager.want([web]);
  answers.shift()?.(false);
  await settled();
  expect([onIssued.mock.calls, onProblem.mock.calls, held(), clock.waiting]).toEqual([[], [], [], 0]);
  answers.shift()?.(false);
  await settled();
  expect(onIssued).toHaveBeenCalledTimes(1);
});

test("without the trust bundle nothing is asked for, and everything as soon as it arrives", async () => {
  const { manager, bundle, sign, onProblem, held, clock } = managed();
  bundle.mockReturnValue(undefined);
  manager.want([web, cart]);
  await settled();
  expect(sign).not.toHaveBeenCalled();
  expect(onProblem.mock.calls[0]).toEqual([web, "the trust bundle of cluster.local has not arrived"]);
  bundle.mockReturnValue(authority.bundle);
  manager.bundleArrived();
  await settled();
  expect(held().length).toBe(2);
  manager.bundleArrived();
  await clock.pass(HOUR_MS);
  expect(sign).toHaveBeenCalledTimes(2);
});

test("a bundle that arrives while the CA is being asked again leads to no second request", async () => {
  const { manager, sign, clock } = managed();
  sign.mockImplementationOnce(refusing).mockReturnValue(new Promise(() => undefined));
  manager.want([web]);
  await clock.pass(SECOND_MS);
  manager.bundleArrived();
  await settled();
  expect(sign).toHaveBeenCalledTimes(2);
});

test("a certificate whose root was dropped is replaced at once, and stays while it is not; others are left alone", async () => {
  const { manager, sign, bundle, clock, held, onIssued } = managed();
  const both = { ...authority.bundle, roots: [...authority.bundle.roots, ...stranger.bundle.roots] };
  const by: Record<string, typeof authority> = { [web.identity]: authority, [cart.identity]: stranger };
  sign.mockImplementation((csr, { identity }, lifetimeMs) =>
    Promise.resolve(answerTo(csr, lifetimeMs, clock.now(), { by: by[identity] as typeof authority })),
  );
  bundle.mockReturnValue(both);
  manager.want([web, cart]);
  await settled();
  manager.bundleArrived();
  await settled();
  expect(sign).toHaveBeenCalledTimes(2);
  bundle.mockReturnValue(stranger.bundle);
  by[web.identity] = stranger;
  const before = held();
  sign.mockImplementationOnce(refusing);
  manager.bundleArrived();
  await settled();
  expect([sign.mock.calls.length, held()]).toEqual([3, before]);
  await clock.pass(SECOND_MS);
  expect(onIssued.mock.calls.map(([{ identity }]) => identity)).toEqual([web.identity, cart.identity, web.identity]);
});

test("an answer is verified with the roots of the moment when it comes", async () => {
  const { manager, sign, bundle, clock, held } = managed();
  const both = { ...authority.bundle, roots: [...authority.bundle.roots, ...stranger.bundle.roots] };
  sign.mockImplementation((csr, _, lifetimeMs) => {
    bundle.mockReturnValue(both);
    return Promise.resolve(answerTo(csr, lifetimeMs, clock.now(), { by: stranger }));
  });
  manager.want([web]);
  await settled();
  expect(held().length).toBe(1);
});

test("never more than 8 requests are under way", async () => {
  const { manager, sign } = managed();
  sign.mockReturnValue(new Promise(() => undefined));
  manager.want(Array.from({ length: 20 }, (_, n) => ({ identity: authority.id(`shop/s${n}`), worker: 0 })));
  await settled();
  expect(sign).toHaveBeenCalledTimes(8);
});
