import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type AuthoritySet,
  firstAuthoritySet,
  issuingAuthority,
  withAnnouncedRoot,
  withRotation,
} from "#certs/issue/authority-set.ts";
import { saveAuthoritySet } from "#certs/issue/authority-store.ts";
import { type RotationEvent, transition } from "#certs/issue/rotation.ts";
import { leafExtensions, uris } from "#certs/testing/hostile-certificate.ts";
import { leafUnder } from "#certs/testing/hostile-chains.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { IssuedFiles, type PemFiles } from "../mesh/issued-files.ts";
import { BareNode, until } from "./bare-node.ts";
import type { Started } from "./sandbox.ts";

/*
 * Two roots are trusted: the mesh's own pods have certificates under the new one, the peer and the visitor, who know nothing of
 * Heddle, under the old one. Then the old root is dropped, as when its key was stolen.
 */

const PROGRAMS = join(import.meta.dirname, "../programs");
const DISTRUSTED = "the root certificate above the peer's is no longer trusted";

let node: BareNode;
let oldSet: AuthoritySet;
const files = new IssuedFiles();
const soon = { timeout: 15_000 };

const surroundings = () => ({ now: Date.now(), random: randomBytes });

const after = (set: AuthoritySet, event: RotationEvent): AuthoritySet =>
  withRotation(set, unwrap(transition(set.rotation, event)));

const underOldRoot = (name: string): PemFiles => {
  const issuing = issuingAuthority(oldSet);
  const id = `spiffe://cluster.local/ns/shop/sa/${name}`;
  return files.write(name, leafUnder({ ...testAuthority(), issuing }, { extensions: leafExtensions([uris(id)]) }));
};

const inPod = (netns: string, program: string, ...args: readonly string[]): Started =>
  node.sandbox.start([process.execPath, join(PROGRAMS, program), ...args], { netns });

const outputOf = async (started: Started, words: string): Promise<void> =>
  until(
    () => started.output.includes(words),
    () => `${started.output} ${node.supervisor?.output}`,
  );

const client = (from: string, command: string, to: string, port: number, ...more: readonly string[]): Started =>
  inPod(from, "client.ts", command, node.address(to), String(port), ...more);

/** What a client says in the end. */
const outcome = async (started: Started): Promise<unknown> => {
  await until(
    () => started.lines.length > 0,
    () => `${started.output} ${node.supervisor?.output}`,
  );
  return started.lines[0];
};

/** Three connections to an echo, something always under way on each. */
const hold = async (from: string, to: string): Promise<Started> => {
  const held = client(from, "hold", to, 8085, "3", "eof");
  await outputOf(held, "held");
  return held;
};

const visit = (wish: object): Started => {
  const host = node.address("web");
  const full = { host, ...underOldRoot("visitor"), headers: { ":authority": `${host}:8085` }, ...wish };
  return inPod("visitor", "hbone-client.ts", JSON.stringify(full));
};

const certificatesText = (): Promise<string> => node.sandbox.run(["cat", join(node.directory, "public/roots.pem")]);

let peer: Started;

beforeAll(async () => {
  node = await BareNode.make(["client", "idle", "web", "peer", "visitor"]);
  oldSet = unwrap(firstAuthoritySet(unwrap(parseTrustDomain("cluster.local")), surroundings()));
  const lent = after(oldSet, { kind: "lend", lifetimeMs: 24 * 3_600_000 });
  const announced = unwrap(withAnnouncedRoot(lent, surroundings()));
  unwrap(saveAuthoritySet(join(node.directory, "ca"), after(announced, { kind: "sign", now: Date.now() })));
  await node.upWith("client", "idle", "web");
  peer = inPod("peer", "hbone-server.ts", JSON.stringify({ host: "::", ...underOldRoot("peer") }));
  await outputOf(peer, "listening");
  const server = inPod("web", "server.ts");
  await until(
    async () => ((await outcome(client("client", "ask", "web", 8080))) as { error?: string }).error === undefined,
    () => server.output,
  );
});
afterAll(async () => {
  files.dispose();
  await node.dispose();
});

test("when a root is dropped, whoever is under it is cut off in both directions, idle connections too, and nobody else", async () => {
  const [outbound, among] = [await hold("client", "peer"), await hold("client", "web")];
  expect(await outcome(client("idle", "ask", "peer", 8080))).not.toHaveProperty("error");
  const inbound = visit({ hold: true, body: "hello" });
  await outputOf(inbound, "open");
  const peerConnections = () => peer.lines.filter(({ event }) => event === "connection").length;
  const peerClosed = () => peer.lines.filter(({ event }) => event === "closed").length;
  expect([peerConnections(), peerClosed()]).toEqual([2, 0]);

  const root = (await node.certificates()).roots.find(({ state }) => state === "retiring");
  const drop = (evenIfUsed: boolean) =>
    node.askControlPlane("/certificates/drop-root", { root: root?.fingerprint, evenIfUsed });
  // After a start nobody knows who else has certificates under it.
  await expect(drop(false)).rejects.toThrow(/may still be held/);
  await drop(true);

  // Said, and closed, not left to a timeout.
  expect(await outcome(inbound)).toMatchObject({ status: 200, goaway: 0, closed: true });
  await expect.poll(peerClosed, soon).toBe(2);
  const ended = () =>
    node.accessLog().filter(({ event, error }) => event === "closed" && String(error).includes(DISTRUSTED));
  // Three calls out, and the visitor's.
  const directions = () => Map.groupBy(ended(), ({ direction }) => direction);
  await expect.poll(() => directions().get("outbound")?.length, soon).toBe(3);
  await expect.poll(() => directions().get("inbound")?.length, soon).toBe(1);
  outbound.endInput();
  expect(await outcome(outbound)).toEqual({ echoed: 3, survivors: 0 });
  await expect
    .poll(() => node.supervisor?.output, soon)
    .toContain(`shop/idle: 1 tunnel connections ended: ${DISTRUSTED}`);

  // New ones are refused by both, and say by whom.
  expect(await outcome(client("client", "ask", "peer", 8080))).toMatchObject({ error: "ECONNRESET" });
  await expect
    .poll(() => node.accessLog().findLast(({ event }) => event === "failed"), soon)
    .toMatchObject({ reason: "tunnel-tls-failed", direction: "outbound" });
  expect(await outcome(visit({}))).not.toHaveProperty("status");
  await expect
    .poll(() => node.accessLog().findLast(({ event }) => event === "failed"), soon)
    .toMatchObject({ reason: "untrusted-issuer", direction: "inbound" });

  among.endInput();
  expect(await outcome(among)).toEqual({ echoed: 3, survivors: 3 });
  expect((await certificatesText()).match(/BEGIN/g)?.length).toBe(1);
});
