import { createSecureContext, type SecureContextOptions, type TLSSocket, type TlsOptions } from "node:tls";
import { afterEach, expect, test } from "vitest";

import { testAuthority } from "../testing/test-authority.ts";
import { ANSWER, carelessClient, dial, startServer, type TestServer, type Verdict } from "../testing/tls-pair.ts";
import type { Credentials } from "../verify/credentials.ts";
import { verifyClient } from "./client-check.ts";
import { clientContext, connectOptions, secureContextOptions, serverOptions } from "./tls-contexts.ts";

/*
 * A session ticket carries the verdict on a certificate to a later connection. Whoever holds one from a time when it was
 * trusted must not get in with it. Each attack is run twice: against our settings, and against the same settings without
 * SSL_OP_NO_TICKET, where it must succeed, or the test would prove nothing.
 */

const authority = testAuthority();
const next = testAuthority();
const server = authority.credentials("shop/server");
const client = authority.credentials("shop/web");

const withTickets = <Options extends SecureContextOptions>(options: Options): Options => ({
  ...options,
  secureOptions: 0,
});
const asItIs = <Options extends SecureContextOptions>(options: Options): Options => options;

/** Without our own refusal of resumed sessions, so that what is tested is that there are none. */
const nodeCheck = (socket: TLSSocket): Verdict =>
  socket.authorized
    ? { ok: true, value: { id: client.id, notAfter: 0 } }
    : { ok: false, error: { reason: "untrusted-issuer", message: String(socket.authorizationError) } };

const running: TestServer[] = [];

afterEach(async () => {
  for (const started of running.splice(0)) await started.close();
});

const start = async (options: TlsOptions): Promise<TestServer> => {
  const started = await startServer(options, authority.trustDomain, nodeCheck);
  running.push(started);
  return started;
};

/** A client that keeps what it is given, and comes back with it. */
const ticketFrom = async ({ port, nextVerdict }: TestServer, options = carelessClient(client)): Promise<Buffer> => {
  const outcome = await dial(port, options, { lingerMs: 100 });
  expect(await nextVerdict()).toMatchObject({ ok: true });
  return outcome.session ?? Buffer.alloc(0);
};

const returnWith = async (session: Buffer, { port, nextVerdict }: TestServer, options = carelessClient(client)) => {
  const outcome = dial(port, { ...options, session });
  const verdict = await nextVerdict();
  return { resumed: (await outcome).resumed, accepted: verdict.ok };
};

type Settings = typeof asItIs;

interface Attack {
  readonly name: string;
  readonly run: (settings: Settings) => Promise<{ readonly resumed: boolean; readonly accepted: boolean }>;
  /** What a full handshake leads to. */
  readonly accepted: boolean;
}

const attacks: readonly Attack[] = [
  {
    name: "the ticket is used again while nothing has changed",
    accepted: true,
    run: async (settings) => {
      const target = await start(settings(serverOptions(server, authority.bundle)));
      return await returnWith(await ticketFrom(target), target);
    },
  },
  {
    name: "the client's certificate has expired in between",
    accepted: false,
    run: async (settings) => {
      const short = carelessClient(authority.credentials("shop/web", { at: Date.now(), lifetimeMs: 1500 }));
      const target = await start(settings(serverOptions(server, authority.bundle)));
      const ticket = await ticketFrom(target, short);
      await new Promise((resolve) => {
        setTimeout(resolve, 1600);
      });
      return await returnWith(ticket, target, short);
    },
  },
  {
    name: "the context behind one server name was replaced by one that trusts another root",
    accepted: false,
    run: async (settings) => {
      let current = createSecureContext(settings(secureContextOptions(server, authority.bundle)));
      const options = settings(serverOptions(server, authority.bundle));
      const target = await start({ ...options, SNICallback: (_name, done) => done(null, current) });
      const named = { ...carelessClient(client), servername: "server" };
      const ticket = await ticketFrom(target, named);
      current = createSecureContext(settings(secureContextOptions(next.credentials("shop/server"), next.bundle)));
      return await returnWith(ticket, target, named);
    },
  },
];

test.each(attacks)("T-08 no session is resumed: $name", async ({ run, accepted }) => {
  expect(await run(asItIs)).toEqual({ resumed: false, accepted });
});

test.each(attacks)("T-08 without SSL_OP_NO_TICKET it would be: $name", async ({ run }) => {
  expect(await run(withTickets)).toEqual({ resumed: true, accepted: true });
});

test("T-08 a ticket from one workload's server is worth nothing at another's, which trusts another root", async () => {
  const first = await start(serverOptions(server, authority.bundle));
  const second = await start(serverOptions(next.credentials("bank/server"), next.bundle));
  expect(await returnWith(await ticketFrom(first), second)).toEqual({ resumed: false, accepted: false });
});

test("T-08 after a root was dropped with setSecureContext, its clients are refused with or without a ticket", async () => {
  const both = { ...authority.bundle, roots: [...authority.bundle.roots, ...next.bundle.roots] };
  const target = await start(serverOptions(server, both));
  const ticket = await ticketFrom(target);
  target.server.setSecureContext(secureContextOptions(next.credentials("shop/server"), next.bundle));
  expect(await returnWith(ticket, target)).toEqual({ resumed: false, accepted: false });
});

test("T-08 a context that was set later offers as few sessions as the first", async () => {
  const target = await start(serverOptions(server, authority.bundle));
  target.server.setSecureContext(secureContextOptions(server, authority.bundle));
  expect(await returnWith(await ticketFrom(target), target)).toEqual({ resumed: false, accepted: true });
});

test("T-08 setSecureContext forgets what it is not given again: without our settings, sessions are resumed", async () => {
  const target = await start(serverOptions(server, authority.bundle));
  target.server.setSecureContext(withTickets(secureContextOptions(server, authority.bundle)));
  expect(await returnWith(await ticketFrom(target), target)).toEqual({ resumed: true, accepted: true });
});

/** What a client learns from a server that hands out tickets, when it dials that address again. */
const dialTwice = async (identity: Credentials, settings: Settings) => {
  const target = await start(withTickets(serverOptions(server, authority.bundle)));
  const { port } = target;
  const context = createSecureContext(settings(secureContextOptions(identity, authority.bundle)));
  const options = connectOptions({ ...clientContext(identity, authority.bundle), secureContext: context }, server.id);
  const { session } = await dial(port, options, { lingerMs: 100 });
  return await dial(port, session ? { ...options, session } : options, { expected: server.id });
};

test("T-08 should a client of ours be given a session against the rule, it does not trust what was not verified", async () => {
  const outcome = await dialTwice(client, asItIs);
  expect(outcome.received === ANSWER && outcome.resumed).toBe(false);
});

test("T-08 a server that is resumed is refused: its identity would not be checked", async () => {
  expect(await dialTwice(client, withTickets)).toMatchObject({
    resumed: true,
    refusal: { reason: "session-resumed" },
    received: "",
  });
});

test("T-08 a client that is resumed is refused by our check, should the option ever be lost", async () => {
  const target = await startServer(
    withTickets(serverOptions(server, authority.bundle)),
    authority.trustDomain,
    (socket) => verifyClient(socket, authority.trustDomain),
  );
  running.push(target);
  const session = await ticketFrom(target);
  void dial(target.port, { ...carelessClient(client), session });
  expect(await target.nextVerdict()).toMatchObject({ ok: false, error: { reason: "session-resumed" } });
});
