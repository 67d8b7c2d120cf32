import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { carelessClient } from "#certs/testing/tls-pair.ts";
import { clientContext, connectOptions } from "#certs/tls/tls-contexts.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import type { Place } from "#mesh/roster.ts";
import { emptySnapshot, type Snapshot } from "#mesh/snapshot.ts";
import { exampleWorkload, ip, snapshotWith } from "#mesh/testing/examples.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import type { Workload } from "#mesh/workload.ts";
import type { EnrolledPod } from "../channel/message.ts";
import { listeningSocket } from "../testing/listening-sockets.ts";
import { fileOf, openDescriptors } from "../testing/open-descriptors.ts";
import { outboundSocket } from "../testing/outbound-sockets.ts";
import type { TunnelConnection, TunnelServer } from "../tunnel/tunnel.ts";
import { type Exchange, type PodEvents, ServedPod } from "./served-pod.ts";
import { readSettings } from "./settings.ts";

afterEach(() => void vi.useRealTimers());

const authority = testAuthority();
const CREDENTIALS = authority.credentials("shop/web");
const CALLER = authority.credentials("shop/cart");
const SETTINGS = readSettings({ HEDDLE_WORKER: "0" });

const POD: EnrolledPod = {
  uid: "8b1d7a3e",
  namespace: "shop",
  name: "web-0",
  serviceAccount: "web",
  addresses: ["10.244.1.10"],
  node: "node-1",
  riskyCapabilities: [],
};

/** What a worker knows of the mesh. */
const meshOf = (workload: Workload | undefined, bundle: TrustBundle | undefined): Snapshot =>
  snapshotWith({
    workloads: new Map(workload ? [[workload.uid, workload]] : []),
    bundles: new Map(bundle ? [[bundle.trustDomain, bundle]] : []),
  });

const READY = meshOf(exampleWorkload(), authority.bundle);

const servedPod = (isHeld = false) => {
  const sockets = [listeningSocket(), listeningSocket(), listeningSocket()];
  const events = {
    outbound: vi.fn<PodEvents["outbound"]>(),
    inbound: vi.fn<PodEvents["inbound"]>(),
    tunnel: vi.fn<PodEvents["tunnel"]>(),
    mayHandshake: vi.fn<PodEvents["mayHandshake"]>(() => true),
    refusedHandshake: vi.fn<PodEvents["refusedHandshake"]>(),
    unready: vi.fn<PodEvents["unready"]>((_pod, socket) => void socket.resetAndDestroy()),
    needSockets: vi.fn<PodEvents["needSockets"]>(),
    distrusted: vi.fn<PodEvents["distrusted"]>(),
    prepared: vi.fn<PodEvents["prepared"]>(),
    listenerFailed: vi.fn<PodEvents["listenerFailed"]>(),
  };
  const descriptors = sockets.map(({ descriptor }) => descriptor);
  const pod = new ServedPod(7, POD, descriptors, isHeld, SETTINGS, () => 0, events);
  const [outbound = 0, inbound = 0, tunnel = 0] = sockets.map(({ port }) => port);
  onTestFinished(() => {
    pod.close();
    for (const event of [events.outbound, events.inbound]) for (const [, socket] of event.mock.calls) socket.destroy();
  });
  return { pod, events, ports: { outbound, inbound, tunnel }, descriptors };
};

const call = (port: number): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(socket)).once("close", () => resolve(socket));
  });
};

const callTunnel = (
  port: number,
  options = connectOptions(clientContext(CALLER, authority.bundle), CREDENTIALS.id),
) => {
  const socket = connectTls({ port, host: "127.0.0.1", ...options });
  socket.on("error", () => undefined);
  socket.resume();
  onTestFinished(() => void socket.destroy());
  return socket;
};

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
};

test("a pod is who its sockets' namespace belongs to, as the enroller named it", () => {
  expect(servedPod().pod.identity).toBe("spiffe://cluster.local/ns/shop/sa/web");
});

/** What must be there, in every order in which it may come. */
const PARTS = ["record", "bundle", "credentials"] as const;
type Part = (typeof PARTS)[number];
const ORDERS = PARTS.flatMap((first) =>
  PARTS.filter((second) => second !== first).map((second): Part[] => [first, second]),
).map(([first, second]): [Part, Part, Part] => {
  const third = PARTS.find((part) => part !== first && part !== second);
  return [first ?? "record", second ?? "record", third ?? "record"];
});

test.each(ORDERS)("a pod is served when its %s, %s and then its %s are there", async (...order) => {
  const { pod, events, ports } = servedPod();
  await call(ports.outbound);
  const known = new Set<Part>();
  for (const part of order) {
    expect(pod.isServing).toBe(false);
    known.add(part);
    const mesh = meshOf(
      known.has("record") ? exampleWorkload() : undefined,
      known.has("bundle") ? authority.bundle : undefined,
    );
    pod.refresh(mesh, known.has("credentials") ? CREDENTIALS : undefined);
  }
  expect(pod.isServing).toBe(true);
  await vi.waitFor(() => expect(events.outbound).toHaveBeenCalledTimes(1));
});

test.each<[string, Partial<Workload>]>([
  ["another address", { addresses: [ip("10.244.1.99")] }],
  ["another service account", { serviceAccount: "other" }],
  ["another name", { name: "web-1" }],
])("a record with %s is not the pod's", (_, changes) => {
  const { pod } = servedPod();
  pod.refresh(meshOf(exampleWorkload(changes), authority.bundle), CREDENTIALS);
  expect([pod.workload, pod.isServing]).toEqual([undefined, false]);
});

test("what is there is kept when a part goes away, and another pod's record does not take its place", () => {
  const { pod } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const { workload, dialAs } = pod;
  expect(workload?.serviceAccount).toBe("web");
  pod.refresh(emptySnapshot, undefined);
  pod.refresh(meshOf(exampleWorkload({ serviceAccount: "other" }), authority.bundle), CREDENTIALS);
  expect([pod.isServing, pod.workload, pod.dialAs]).toEqual([true, workload, dialAs]);
});

test("a newer record of the pod takes the place of the older", () => {
  const { pod } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const newer = exampleWorkload({ policies: ["shop/deny"] });
  pod.refresh(meshOf(newer, authority.bundle), CREDENTIALS);
  expect(pod.workload).toBe(newer);
});

test("each port is served as what it is", async () => {
  const { pod, events, ports } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  await call(ports.outbound);
  await vi.waitFor(() => expect(events.outbound).toHaveBeenCalledTimes(1));
  await call(ports.inbound);
  await vi.waitFor(() => expect(events.inbound).toHaveBeenCalledTimes(1));
  callTunnel(ports.tunnel);
  await vi.waitFor(() => expect(events.tunnel).toHaveBeenCalledTimes(1));
  callTunnel(ports.tunnel, carelessClient(testAuthority("other.example").credentials("shop/cart")));
  await vi.waitFor(() => expect(events.refusedHandshake).toHaveBeenCalledTimes(1));
  expect([events.outbound.mock.calls[0]?.[0], events.inbound.mock.calls[0]?.[0]]).toEqual([pod, pod]);
  expect(events.tunnel.mock.calls[0]?.[2].id).toBe(CALLER.id);
  expect(events.refusedHandshake.mock.calls[0]?.[2].reason).toBe("foreign-trust-domain");
  expect([events.unready.mock.calls.length, events.outbound.mock.calls.length]).toEqual([0, 1]);
});

test("who waited for too long is told that the pod is not ready, and in which direction", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { events, ports } = servedPod();
  vi.advanceTimersByTime(SETTINGS.accept.startWaitMs);
  vi.useRealTimers();
  for (const port of [ports.outbound, ports.inbound, ports.tunnel]) {
    const before = events.unready.mock.calls.length;
    await call(port);
    await vi.waitFor(() => expect(events.unready).toHaveBeenCalledTimes(before + 1));
  }
  expect(events.unready.mock.calls.map(([, , direction]) => direction)).toEqual(["outbound", "inbound", "inbound"]);
});

test("credentials that are the same change nothing; other ones, or another bundle, begin a new generation", () => {
  const { pod } = servedPod();
  const retire = vi.spyOn(pod.tunnels, "retire");
  pod.refresh(READY, CREDENTIALS);
  const first = pod.dialAs;
  pod.refresh(meshOf(exampleWorkload(), authority.bundle), CREDENTIALS);
  expect(pod.dialAs).toBe(first);
  const renewed = authority.credentials("shop/web");
  pod.refresh(READY, renewed);
  const roots = [...authority.bundle.roots, testAuthority().root.certificate];
  pod.refresh(meshOf(exampleWorkload(), { ...authority.bundle, roots }), renewed);
  expect([first?.generation, pod.dialAs?.generation]).toEqual([1, 3]);
  expect(retire.mock.calls).toEqual([[1], [2], [3]]);
});

test("a renewed certificate is what the next caller sees", async () => {
  const { pod, events, ports } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const serialOf = async (): Promise<string | undefined> => {
    const socket = callTunnel(ports.tunnel);
    await once(socket, "secureConnect");
    return socket.getPeerX509Certificate()?.serialNumber;
  };
  const before = await serialOf();
  const renewed: Credentials = authority.credentials("shop/web");
  pod.refresh(READY, renewed);
  const after = await serialOf();
  expect(before).toBeDefined();
  expect(after).not.toBe(before);
  await vi.waitFor(() => expect(events.tunnel).toHaveBeenCalledTimes(2));
});

test("sockets are asked for by kind", async () => {
  const { pod, events } = servedPod();
  for (const kind of ["direct", "local"] as const) {
    const taking = pod.stocks[kind].take();
    const [asker, asked, count] = events.needSockets.mock.calls.at(-1) ?? [];
    expect([asker, asked, Number(count) > 0]).toEqual([pod, kind, true]);
    const socket = outboundSocket();
    pod.stocks[kind].add([socket]);
    expect(await taking).toBe(socket);
    pod.stocks[kind].add([socket]);
  }
});

const tunnelServer = () => ({ openTunnels: 0, drain: vi.fn<() => void>(), destroy: vi.fn<() => void>() });

test("a pod that is about to end says so to those who have tunnels to it, and serves on", () => {
  const { pod } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const servers = [tunnelServer(), tunnelServer()];
  for (const server of servers) pod.servers.add(server satisfies TunnelServer);
  pod.drain();
  for (const server of servers) {
    expect([server.drain.mock.calls.length, server.destroy.mock.calls.length]).toEqual([1, 0]);
  }
  expect([pod.isServing, pod.isGone]).toEqual([true, false]);
});

test("a pod that is let go of ends everything that was begun for it", async () => {
  const { pod, ports, events } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const server = tunnelServer();
  pod.servers.add(server);
  const stops = [vi.fn<() => void>(() => pod.exchanges.delete(first)), vi.fn<() => void>()] as const;
  const first: Place<Exchange> = pod.exchanges.add({ stop: stops[0], drain: () => undefined });
  pod.exchanges.add({ stop: stops[1], drain: () => undefined });
  const tunnelCaller = callTunnel(ports.tunnel);
  await vi.waitFor(() => expect(events.tunnel).toHaveBeenCalledTimes(1));
  const handshaking = await call(ports.tunnel);
  handshaking.resume();
  await turns();
  const ended = [once(tunnelCaller, "close"), once(handshaking, "close")];
  pod.close();
  expect([pod.isGone, pod.gone.aborted, pod.isServing]).toEqual([true, true, false]);
  expect([server.destroy.mock.calls.length, ...stops.map((stop) => stop.mock.calls.length)]).toEqual([1, 1, 1]);
  await Promise.all(ended);
});

test("whoever waits for something when the pod is let go of is told, and gets nothing late", async () => {
  const { pod } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const destroyed = vi.fn<(reason: string) => void>();
  const { promise, resolve } = Promise.withResolvers<TunnelConnection>();
  const key = { credentialGeneration: 1, destinationUid: "a", expectedIdentity: "b", address: "c" };
  const waiting = [
    pod.stocks.direct.take(),
    pod.stocks.local.take(),
    pod.tunnels.open(key, { authority: "10.0.0.1:80", headers: {} }, () => promise),
  ];
  const told = Promise.all(waiting.map((each) => expect(each).rejects.toThrow("the pod is gone")));
  pod.close();
  resolve({
    room: 100,
    openTunnels: 0,
    open: () => Promise.reject(new Error("opened for a pod that is gone")),
    drain: () => undefined,
    destroy: destroyed,
  });
  await told;
  expect(destroyed).toHaveBeenCalledTimes(1);
  const before = openDescriptors();
  const late = outboundSocket();
  pod.stocks.direct.add([late]);
  expect(openDescriptors()).toBe(before);
});

test("connections that wait when the pod is let go of are not taken, and its sockets are closed", async () => {
  const { pod, ports, descriptors, events } = servedPod();
  const files = descriptors.map(fileOf);
  const caller = await call(ports.outbound);
  caller.resume();
  const ended = new Promise((resolve) => {
    caller.once("close", resolve);
  });
  pod.close();
  expect(descriptors.map(fileOf)).not.toEqual(files);
  // In a test there is no supervisor with a copy: the kernel ends what nobody can accept any more.
  await ended;
  expect([events.outbound.mock.calls.length, events.unready.mock.calls.length]).toEqual([0, 0]);
});

test("news after it was let go of begin nothing anew, and letting go of it again does nothing", async () => {
  const { pod, events, ports } = servedPod();
  pod.close();
  const before = openDescriptors();
  // Numbers that were the pod's are another's by now.
  const others = [listeningSocket(), listeningSocket(), listeningSocket()];
  pod.refresh(READY, CREDENTIALS);
  pod.close();
  expect(pod.isServing).toBe(false);
  expect(openDescriptors()).toBe(before + others.length);
  for (const { port } of others) await call(port);
  await call(ports.outbound);
  await turns();
  expect([events.outbound.mock.calls.length, events.inbound.mock.calls.length]).toEqual([0, 0]);
  await expect(pod.stocks.direct.take()).rejects.toThrow("the pod is gone");
});

test("a pod that is held is prepared, which is told once, and serves when it may", async () => {
  const { pod, ports, events } = servedPod(true);
  pod.refresh(READY, undefined);
  expect(events.prepared).not.toHaveBeenCalled();
  pod.refresh(READY, CREDENTIALS);
  pod.refresh(READY, CREDENTIALS);
  expect([events.prepared.mock.calls.length, pod.isServing]).toEqual([1, false]);
  await call(ports.outbound);
  await turns();
  expect(events.outbound).not.toHaveBeenCalled();
  pod.accept();
  await vi.waitFor(() => expect(events.outbound).toHaveBeenCalledTimes(1));
  expect(pod.isServing).toBe(true);
});

test("a pod that others serve now takes no more, says so to its peers, and keeps what is open until that ends", async () => {
  const { pod, ports, descriptors, events } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const files = descriptors.map(fileOf);
  callTunnel(ports.tunnel);
  await vi.waitFor(() => expect(events.tunnel).toHaveBeenCalledTimes(1));
  const server = tunnelServer();
  pod.servers.add(server);
  const exchange = { stop: vi.fn<() => void>(), drain: vi.fn<() => void>(), retire: vi.fn<() => void>() };
  pod.exchanges.add(exchange);
  const release = pod.connections.take();
  pod.retire();
  expect(descriptors.map(fileOf)).not.toEqual(files);
  expect([server.drain.mock.calls.length, server.destroy.mock.calls.length]).toEqual([1, 0]);
  expect([pod.isServing, pod.isGone, pod.isLeaving]).toEqual([false, false, true]);
  expect(pod.remaining).toEqual({ connections: 1, carriers: 1 });
  release?.();
  expect(pod.remaining).toEqual({ connections: 0, carriers: 1 });
  pod.endExchanges();
  const { stop, drain, retire } = exchange;
  expect([stop, drain, retire].map(({ mock }) => mock.calls.length)).toEqual([0, 1, 1]);
});

test("a pod that will be gone says so to its peers, and to whoever speaks HTTP with it, and still takes what comes", () => {
  const { pod } = servedPod();
  pod.refresh(READY, CREDENTIALS);
  const server = tunnelServer();
  pod.servers.add(server);
  const exchange = { stop: vi.fn<() => void>(), drain: vi.fn<() => void>(), retire: vi.fn<() => void>() };
  pod.exchanges.add(exchange);
  expect(pod.isLeaving).toBe(false);
  pod.drain();
  expect([server.drain.mock.calls.length, exchange.retire.mock.calls.length]).toEqual([1, 1]);
  expect([pod.isLeaving, pod.isServing]).toEqual([true, true]);
});
