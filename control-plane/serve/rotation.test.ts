import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { fromBinary } from "@bufbuild/protobuf";
import { expect, test, vi } from "vitest";
import type { DeltaDiscoveryResponse } from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { TrustBundleSchema } from "#api/gen/heddle/trust/v1alpha1/trust_bundle_pb.js";
import { TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import { parsePem } from "#certs/x509/pem.ts";
import { unwrap } from "#mesh/result.ts";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { MemorySource } from "../testing/memory-source.ts";
import { type ControlStream, NodeClient, publishedRoots } from "../testing/node-client.ts";
import { podYaml } from "../testing/objects.ts";
import { type RunningControlPlane, startControlPlane } from "../testing/running-control-plane.ts";

const SETTLED_MS = 60_000;
const HOUR_MS = 3_600_000;

const setUp = async () => {
  const clock = new ManualClock(Date.now());
  const controlPlane = await startControlPlane({ clock });
  const open = async (node: string): Promise<ControlStream> => {
    const stream = (await NodeClient.join(controlPlane, node)).openStream();
    await stream.acceptAll(TRUST_BUNDLE_TYPE);
    return stream;
  };
  const rotation = async () => (await controlPlane.admin.certificates()).rotation;
  return { clock, controlPlane, rotation, quick: await open("node-1"), slow: await open("node-2") };
};

const fingerprint = (der: Uint8Array): string => createHash("sha256").update(der).digest("hex");

const rootsIn = ({ resources }: DeltaDiscoveryResponse): readonly string[] =>
  resources
    .flatMap(({ resource }) => fromBinary(TrustBundleSchema, resource?.value ?? new Uint8Array()).roots)
    .map(fingerprint);

const signingRoot = async ({ admin }: RunningControlPlane): Promise<string> =>
  (await admin.certificates()).roots.find(({ state }) => state === "signing")?.fingerprint ?? "";

/** The certificate that the control plane itself serves with. */
const servedCertificate = async (controlPlane: RunningControlPlane): Promise<string> => {
  const [host = "", port = ""] = controlPlane.target.split(":");
  return new Promise((resolve, reject) => {
    // Unverified: this clock and OpenSSL's are hours apart.
    const options = { host, port: Number(port), ALPNProtocols: ["h2"], rejectUnauthorized: false };
    const socket = connect(options, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? "");
      socket.destroy();
    });
    socket.on("error", reject);
  });
};

test("a new root signs when every connected node has accepted it, and one that has not is named", async () => {
  const { clock, controlPlane, rotation, quick, slow } = await setUp();
  const old = await signingRoot(controlPlane);
  const served = await servedCertificate(controlPlane);
  expect(await controlPlane.admin.call("POST", "/certificates/rotate-root")).toMatchObject({
    status: 200,
    body: { rotation: { kind: "announcing", waitingFor: ["node-1", "node-2"] } },
  });
  expect(unwrap(parsePem("CERTIFICATE", publishedRoots(controlPlane).toString())).length).toBe(2);

  const announced = await quick.accept();
  expect(rootsIn(announced).length).toBe(2);
  const late = await slow.next();
  clock.advance(SETTLED_MS);
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "announcing", waitingFor: ["node-2"] }));
  clock.advance(HOUR_MS / 2);
  expect(await signingRoot(controlPlane)).toBe(old);

  slow.ack(late);
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "announcing", waitingFor: [] }));
  clock.advance(2_000);
  expect(await rotation()).toMatchObject({ kind: "retiring" });
  expect(await signingRoot(controlPlane)).toBe(rootsIn(announced).find((root) => root !== old));
  expect(await servedCertificate(controlPlane)).not.toBe(served);
  expect(controlPlane.log.lines.map(({ message }) => message)).toContainEqual(
    expect.stringContaining("signs from now on"),
  );
});

test("a node that refuses the bundle holds the new root back", async () => {
  const { clock, controlPlane, rotation, quick, slow } = await setUp();
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await quick.accept();
  slow.nack(await slow.next(), "cluster.local: bad certificate");
  await vi.waitFor(async () => expect((await rotation()) as object).toMatchObject({ waitingFor: ["node-2"] }));
  clock.advance(HOUR_MS / 2);
  expect(await rotation()).toEqual({ kind: "announcing", waitingFor: ["node-2"] });
});

test("a node that has accepted the bundle and went away does not hold the new root back", async () => {
  const { controlPlane, rotation, quick, slow } = await setUp();
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await quick.accept();
  await slow.accept();
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "announcing", waitingFor: [] }));
  slow.cancel();
  await vi.waitFor(async () =>
    expect((await controlPlane.admin.nodes()).map(({ connected }) => connected)).toEqual([true, false]),
  );
  expect(await rotation()).toEqual({ kind: "announcing", waitingFor: [] });
});

test("a node that went away without the bundle holds the new root back until its certificates have ended", async () => {
  const { clock, controlPlane, rotation, quick, slow } = await setUp();
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await quick.accept();
  await slow.next();
  slow.cancel();
  await vi.waitFor(async () =>
    expect((await controlPlane.admin.nodes()).map(({ connected }) => connected)).toEqual([true, false]),
  );
  clock.advance(23 * HOUR_MS);
  expect(await rotation()).toEqual({ kind: "announcing", waitingFor: ["node-2"] });
  clock.advance(HOUR_MS + 1_000);
  expect(await rotation()).toMatchObject({ kind: "retiring" });
});

test("an operator goes on without a node that is waited for, and without no other", async () => {
  const { clock, controlPlane, rotation, quick, slow } = await setUp();
  const leave = (node: string) => controlPlane.admin.call("POST", "/certificates/leave-behind", { node });
  expect(await leave("node-2")).toMatchObject({ status: 409, body: { error: /holds nothing back/ } });
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await slow.next();
  await quick.accept();
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "announcing", waitingFor: ["node-2"] }));
  expect(await leave("node-1")).toEqual({
    status: 409,
    body: { error: "node-1 holds nothing back; waited for: node-2" },
  });
  expect(await leave("node-2")).toMatchObject({ status: 200, body: { rotation: { waitingFor: [] } } });
  clock.advance(SETTLED_MS);
  expect(await rotation()).toMatchObject({ kind: "retiring" });
  // The next rotation waits for it again.
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await vi.waitFor(async () =>
    expect(await rotation()).toMatchObject({ waitingFor: expect.arrayContaining(["node-2"]) as string[] }),
  );
});

test("a node that has pods of the mesh and did not come back after a restart is waited for", async () => {
  const clock = new ManualClock(Date.now());
  const source = new MemorySource(
    podYaml("shop/web-0", { node: "node-7", ip: "10.0.0.7" }),
    podYaml("shop/plain", { node: "node-8", ip: "10.0.0.8", captured: false }),
  );
  const controlPlane = await startControlPlane({ clock, source });
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  clock.advance(SETTLED_MS);
  const { rotation } = await controlPlane.admin.certificates();
  expect(rotation).toEqual({ kind: "announcing", waitingFor: ["node-7"] });
  // When it comes, it is one like all others.
  await (await NodeClient.join(controlPlane, "node-7")).openStream().acceptAll(TRUST_BUNDLE_TYPE);
  await vi.waitFor(async () => {
    clock.advance(1_000);
    expect((await controlPlane.admin.certificates()).rotation.kind).toBe("retiring");
  });
});

test("an announced root is withdrawn, and the nodes are told", async () => {
  const { controlPlane, rotation, quick } = await setUp();
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  expect(rootsIn(await quick.accept()).length).toBe(2);
  expect(await controlPlane.admin.call("POST", "/certificates/cancel-rotation")).toMatchObject({
    status: 200,
    body: { rotation: { kind: "idle" } },
  });
  expect(rootsIn(await quick.accept()).length).toBe(1);
  expect(await rotation()).toEqual({ kind: "idle" });
  expect((await controlPlane.admin.call("POST", "/certificates/cancel-rotation")).status).toBe(409);
});

test("an old root is dropped before its time when an operator says so, and the nodes are told", async () => {
  const { clock, controlPlane, quick, slow } = await setUp();
  const drop = (root: string, evenIfUsed = false) =>
    controlPlane.admin.call("POST", "/certificates/drop-root", { root, evenIfUsed });
  const old = await signingRoot(controlPlane);
  expect(await drop(old)).toMatchObject({ status: 409, body: { error: /rotate the root first/ } });
  expect(await drop("0123456789")).toMatchObject({ status: 409, body: { error: /no trusted root begins/ } });
  expect((await drop("")).status).toBe(400);
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await quick.accept();
  await slow.accept();
  // The control plane's own certificate is renewed with the step; nobody else has one.
  clock.advance(SETTLED_MS);
  await vi.waitFor(async () => {
    clock.advance(1_000);
    expect(await signingRoot(controlPlane)).not.toBe(old);
  });
  expect(await drop(old.slice(0, 8))).toMatchObject({ status: 200, body: { rotation: { kind: "idle" } } });
  expect(rootsIn(await quick.accept())).toEqual([await signingRoot(controlPlane)]);
});

test("a node that has not subscribed to the bundle holds the new root back", async () => {
  const { clock, controlPlane, rotation, quick, slow } = await setUp();
  const silent = (await NodeClient.join(controlPlane, "node-3")).openStream();
  silent.send("type.googleapis.com/istio.workload.Address");
  await silent.next();
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await quick.accept();
  await slow.accept();
  clock.advance(SETTLED_MS);
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "announcing", waitingFor: ["node-3"] }));
});

test("an old root goes when nothing under it can be valid any more, and the nodes are told", async () => {
  const { clock, controlPlane, rotation, quick, slow } = await setUp();
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await quick.accept();
  await slow.accept();
  clock.advance(SETTLED_MS);
  await vi.waitFor(async () => {
    clock.advance(1_000);
    expect((await rotation()).kind).toBe("retiring");
  });
  clock.advance(25 * HOUR_MS);
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "idle" }));
  expect(unwrap(parsePem("CERTIFICATE", publishedRoots(controlPlane).toString())).length).toBe(1);
  expect(readdirSync(controlPlane.settings.authorityDirectory).filter((name) => name.startsWith("root-")).length).toBe(
    2,
  );
});

test("a second rotation of the root has to wait for the first; the issuing CA is rotated at any time", async () => {
  const { controlPlane, rotation, quick, slow } = await setUp();
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  expect(await controlPlane.admin.call("POST", "/certificates/rotate-root")).toMatchObject({
    status: 409,
    body: {
      error:
        "a new root is announced already; it signs by itself when these nodes trust it: node-1, node-2. " +
        "Another can be announced after that",
    },
  });
  await quick.accept();
  await slow.accept();
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "announcing", waitingFor: [] }));
  expect(await controlPlane.admin.call("POST", "/certificates/rotate-root")).toMatchObject({
    status: 409,
    body: { error: expect.stringContaining("every node trusts it, and it signs within a minute") as string },
  });
  const { issuing } = await controlPlane.admin.certificates();
  const { status, body } = await controlPlane.admin.call<{ issuing: typeof issuing }>(
    "POST",
    "/certificates/rotate-issuing",
  );
  expect(status).toBe(200);
  expect(body.issuing.fingerprint).not.toBe(issuing.fingerprint);
});

test("the control plane renews its own certificate at half of its life", async () => {
  const { clock, controlPlane } = await setUp();
  const first = await servedCertificate(controlPlane);
  clock.advance(10 * HOUR_MS);
  expect(await servedCertificate(controlPlane)).toBe(first);
  clock.advance(4 * HOUR_MS);
  expect(await servedCertificate(controlPlane)).not.toBe(first);
});

test("the control plane's own certificate follows its clock: one that has ended, or is of the future, is replaced at once", async () => {
  const { clock, controlPlane } = await setUp();
  const seen = [await servedCertificate(controlPlane)];
  for (const jumpMs of [48 * HOUR_MS, -48 * HOUR_MS]) {
    clock.jump(jumpMs);
    clock.advance(2_000);
    seen.push(await servedCertificate(controlPlane));
  }
  expect(new Set(seen).size).toBe(3);
  expect(controlPlane.log.lines.filter(({ message }) => message.startsWith("the clock was set")).length).toBe(2);
});

test("a new root does not sign before the file for new nodes says it, however long that cannot be written", async () => {
  const { clock, controlPlane, rotation, quick, slow } = await setUp();
  const path = join(controlPlane.settings.publicDirectory, "roots.pem");
  const before = publishedRoots(controlPlane).toString();
  mkdirSync(`${path}.tmp/obstacle`, { recursive: true });
  await controlPlane.admin.call("POST", "/certificates/rotate-root");
  await Promise.all([quick.accept(), slow.accept()]);
  const waitingFor = [expect.stringContaining(path)];
  await vi.waitFor(async () => expect(await rotation()).toEqual({ kind: "announcing", waitingFor }));
  clock.advance(HOUR_MS);
  expect(await rotation()).toEqual({ kind: "announcing", waitingFor });
  expect(publishedRoots(controlPlane).toString()).toBe(before);
  expect(controlPlane.log.lines.filter(({ message }) => message.startsWith("new nodes cannot join"))).toHaveLength(1);

  rmSync(`${path}.tmp`, { recursive: true });
  clock.advance(SETTLED_MS);
  expect(await rotation()).toMatchObject({ kind: "retiring" });
  expect(unwrap(parsePem("CERTIFICATE", publishedRoots(controlPlane).toString())).length).toBe(2);
});
