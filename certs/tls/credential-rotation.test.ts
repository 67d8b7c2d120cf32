import { once } from "node:events";
import { connect } from "node:tls";
import { afterEach, expect, test } from "vitest";

import type { TrustBundle } from "#mesh/trust-bundle.ts";

import { testAuthority } from "../testing/test-authority.ts";
import { ANSWER, dial, startServer, type TestServer } from "../testing/tls-pair.ts";
import type { Credentials } from "../verify/credentials.ts";
import { clientContext, connectOptions, secureContextOptions, serverOptions } from "./tls-contexts.ts";

const before = testAuthority();
const after = testAuthority();
const { trustDomain } = before;
const serverId = before.id("shop/server");

const onlyOld = before.bundle;
const both: TrustBundle = { trustDomain, roots: [...before.bundle.roots, ...after.bundle.roots] };
const onlyNew = after.bundle;

const oldServer = before.credentials("shop/server");
const newServer = after.credentials("shop/server");
const oldClient = before.credentials("shop/web");
const newClient = after.credentials("shop/web");

let server: TestServer | undefined;

afterEach(async () => await server?.close());

const start = async (credentials: Credentials, bundle: TrustBundle): Promise<TestServer> => {
  server = await startServer(serverOptions(credentials, bundle), trustDomain);
  return server;
};

const answerOf = async ({ port }: TestServer, credentials: Credentials, bundle: TrustBundle): Promise<string> => {
  const options = connectOptions(clientContext(credentials, bundle), serverId);
  return (await dial(port, options, { expected: serverId })).received;
};

test.each<[string, readonly [Credentials, TrustBundle], readonly [Credentials, TrustBundle]]>([
  ["nobody has heard of the new root", [oldServer, onlyOld], [oldClient, onlyOld]],
  ["the server has heard of it", [oldServer, both], [oldClient, onlyOld]],
  ["the client has heard of it", [oldServer, onlyOld], [oldClient, both]],
  ["both have heard of it, the server was renewed", [newServer, both], [oldClient, both]],
  ["both have heard of it, the client was renewed", [oldServer, both], [newClient, both]],
  ["both were renewed", [newServer, both], [newClient, both]],
  ["the server has dropped the old root", [newServer, onlyNew], [newClient, both]],
  ["the client has dropped the old root", [newServer, both], [newClient, onlyNew]],
  ["the old root is forgotten", [newServer, onlyNew], [newClient, onlyNew]],
])("in every step of a root's rotation two nodes understand each other: %s", async (_, atServer, atClient) => {
  expect(await answerOf(await start(...atServer), ...atClient)).toBe(ANSWER);
});

test("once the old root is dropped, its certificates are refused on both sides", async () => {
  expect(await answerOf(await start(newServer, onlyNew), oldClient, both)).toBe("");
  await server?.close();
  expect(await answerOf(await start(oldServer, both), newClient, onlyNew)).toBe("");
});

test("a leaf and a bundle are replaced under load without a failed handshake or a lost connection", async () => {
  const target = await start(oldServer, both);
  const options = connectOptions(clientContext(oldClient, both), serverId);
  const lasting = connect({ ...options, port: target.port, host: "127.0.0.1" });
  await once(lasting, "data");
  let rotations = 0;
  const rotating = setInterval(() => {
    const credentials = ++rotations % 2 === 0 ? oldServer : newServer;
    target.server.setSecureContext(secureContextOptions(credentials, both));
  }, 5);
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => answerOf(target, oldClient, both)));
    expect(new Set(answers)).toEqual(new Set([ANSWER]));
  }
  clearInterval(rotating);
  expect(rotations).toBeGreaterThan(5);
  lasting.write("still there");
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  expect(target.received).toContain("still there");
  lasting.destroy();
});
