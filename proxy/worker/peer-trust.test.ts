import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import { type TestAuthority, testAuthority } from "#certs/testing/test-authority.ts";
import { carelessClient } from "#certs/testing/tls-pair.ts";
import { serverOptions } from "#certs/tls/tls-contexts.ts";
import { fingerprintOf } from "#certs/x509/certificate.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import { DISTRUSTED, PeerTrust } from "./peer-trust.ts";

const first = testAuthority();
const second = testAuthority();

const bundleOf = (...authorities: readonly TestAuthority[]): TrustBundle => ({
  trustDomain: first.trustDomain,
  roots: authorities.map(({ root }) => root.certificate),
});

/** A connection whose both ends have certificates of these authorities, as each end has it. */
const connected = async (server: TestAuthority, client: TestAuthority): Promise<readonly [TLSSocket, TLSSocket]> => {
  const listening = createServer(serverOptions(server.credentials("shop/web"), bundleOf(first, second)));
  onTestFinished(() => void listening.close());
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  const accepted = once(listening, "secureConnection") as Promise<[TLSSocket]>;
  const { port } = listening.address() as AddressInfo;
  const near = connect({ port, host: "127.0.0.1", ...carelessClient(client.credentials("shop/cart")) });
  const [far] = await accepted;
  for (const socket of [near, far]) {
    socket.on("error", () => undefined);
    socket.resume();
    onTestFinished(() => void socket.destroy());
  }
  return [near, far];
};

const trusting = (...authorities: readonly TestAuthority[]): PeerTrust => {
  const trust = new PeerTrust();
  trust.trust(bundleOf(...authorities));
  return trust;
};

const watched = (trust: PeerTrust, socket: TLSSocket, drain = vi.fn<() => void>()) => {
  const end = vi.fn<(reason: string) => void>();
  trust.watch(socket, { drain, destroy: end });
  return end;
};

test.each(["the side that dialled", "the side that was called"] as const)(
  "%s ends the connections whose peer's root is dropped, and no other",
  async (side) => {
    const index = side === "the side that dialled" ? 0 : 1;
    const trust = trusting(first, second);
    const ends = [];
    for (const peer of [first, second, first]) {
      ends.push(watched(trust, (await connected(peer, peer))[index]));
    }
    expect(trust.trust(bundleOf(second))).toBe(2);
    expect(ends.map(({ mock }) => mock.calls)).toEqual([[[DISTRUSTED]], [], [[DISTRUSTED]]]);
    // What ended is forgotten.
    expect(trust.trust(bundleOf(testAuthority()))).toBe(1);
  },
);

test("a root that comes ends nothing, and so does the same bundle in another order", async () => {
  const trust = trusting(first);
  const end = watched(trust, (await connected(first, first))[0]);
  expect([trust.trust(bundleOf(first, second)), trust.trust(bundleOf(second, first))]).toEqual([0, 0]);
  expect(end).not.toHaveBeenCalled();
});

test("a handshake that began before a root was dropped and finished after does not get in", async () => {
  const trust = trusting(first, second);
  const [[old], [current]] = [await connected(first, first), await connected(second, second)];
  trust.trust(bundleOf(second));
  expect(watched(trust, old).mock.calls).toEqual([[DISTRUSTED]]);
  expect(watched(trust, current)).not.toHaveBeenCalled();
});

test("a connection that closed is not held on to", async () => {
  const trust = trusting(first, second);
  const [near] = await connected(first, first);
  const end = watched(trust, near);
  near.destroy();
  await once(near, "close");
  expect([trust.trust(bundleOf(second)), end.mock.calls]).toEqual([0, []]);
});

test("connections under a root that left in order drain, also when another root is dropped later; those under the other end", async () => {
  const third = testAuthority();
  const trust = new PeerTrust();
  trust.trust(bundleOf(first, second, third));
  const drains = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
  const ends = [];
  for (const [index, peer] of [first, second].entries()) {
    ends.push(watched(trust, (await connected(peer, peer))[0], drains[index]));
  }
  expect(trust.trust({ ...bundleOf(second, third), retired: [fingerprintOf(first.root.certificate)] })).toBe(0);
  expect(drains.map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0]);
  expect(trust.trust(bundleOf(third))).toBe(1);
  expect(ends.map(({ mock }) => mock.calls.length)).toEqual([0, 1]);
});
