import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import pino from "pino";
import { onTestFinished, vi } from "vitest";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import { issueLeaf } from "#certs/issue/authority.ts";
import { formatIssuedChain } from "#certs/issue/issued-chain.ts";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { parseCsr } from "#certs/x509/csr.ts";
import { unwrap } from "#mesh/result.ts";
import { Agent } from "../agent/agent.ts";
import { ControlPlaneClient, type DiscoveryStream, type SigningRequest } from "../agent/control-plane-client.ts";
import type { AgentSettings } from "../agent/settings.ts";
import type { WorkerLife } from "../agent/worker-link.ts";
import { type AgentOrder, decodeAgentOrder, type ResourceKind } from "../channel/agent-order.ts";
import { makeStreamPair } from "../channel/descriptor-channel.ts";
import { FrameReader, MAX_DOWN_FRAME_BYTES } from "../channel/frame.ts";
import { type AgentMessage, encodeMessage, type EnrolledPod } from "../channel/message.ts";
import { encodeWorkerReport, type WorkerReport } from "../channel/worker-report.ts";
import { FakeStream } from "./fake-discovery-stream.ts";
import { ManualClock, settled } from "#mesh/testing/manual-clock.ts";
import { bundleBytes } from "./resource-bytes.ts";

export const START = Date.parse("2026-01-01T00:00:00Z");

const authority = testAuthority("cluster.local", START);

const TYPE_URLS: Readonly<Record<ResourceKind, string>> = {
  "trust-bundle": TRUST_BUNDLE_TYPE,
  address: ADDRESS_TYPE,
  authorization: AUTHORIZATION_TYPE,
  routing: ROUTING_TYPE,
};

/** For tests: the worker's end of a link to the agent. */
export class FakeWorker {
  readonly life: WorkerLife;
  readonly orders: AgentOrder[] = [];
  readonly socket: Socket;

  constructor(life: WorkerLife, descriptor: number) {
    this.life = life;
    this.socket = new Socket({ fd: descriptor });
    const reader = new FrameReader(MAX_DOWN_FRAME_BYTES);
    this.socket.on("data", (chunk: Buffer) => this.orders.push(...reader.push(chunk).map(decodeAgentOrder)));
    this.socket.on("error", () => undefined);
    onTestFinished(() => void this.socket.destroy());
  }

  report(report: WorkerReport): void {
    for (const frame of encodeWorkerReport(report)) this.socket.write(frame);
  }

  /** The generations that were committed to it. */
  get commits(): readonly number[] {
    return this.orders.flatMap((order) => (order.kind === "commit" ? [order.generation] : []));
  }

  /** The identities that it got keys for, or lost. */
  get credentials(): readonly string[] {
    return this.orders.flatMap((order) => {
      if (order.kind === "credential") return [`+${order.identity}`];
      return order.kind === "credential-gone" ? [`-${order.identity}`] : [];
    });
  }
}

/** For tests: a pod as the supervisor tells of it, `shop/web-0` unless something else is said. */
export const enrolledPod = (changes: Partial<EnrolledPod> = {}): EnrolledPod => ({
  uid: "uid-web-0",
  namespace: "shop",
  name: "web-0",
  serviceAccount: "web",
  addresses: ["10.244.1.10"],
  node: "node-1",
  riskyCapabilities: [],
  ...changes,
});

/**
 * For tests: an agent whose control plane, supervisor and workers are the test. Its clock stands still.
 * @param settings changes to what it runs with
 */
export const runningAgent = async (settings: Partial<AgentSettings> = {}) => {
  const clock = new ManualClock(START);
  const streams: FakeStream[] = [];
  const opening = vi.spyOn(ControlPlaneClient.prototype, "openDiscovery").mockImplementation(() => {
    const stream = new FakeStream();
    streams.push(stream);
    return Promise.resolve(stream as unknown as DiscoveryStream);
  });
  const sign = vi
    .spyOn(ControlPlaneClient.prototype, "sign")
    .mockImplementation((request) => issue(request, clock.now()));
  onTestFinished(() => {
    opening.mockRestore();
    sign.mockRestore();
  });
  const lines: string[] = [];
  const log = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(...chunk.toString().trimEnd().split("\n"));
      done();
    },
  });
  const ended: WorkerLife[] = [];
  /** When it said that it is alive. */
  const signs: number[] = [];
  /** What else it had others do. */
  const done: string[] = [];
  const agent = new Agent({ ...SETTINGS, ...settings }, pino({ base: {} }, log), clock, () => 0.5, {
    endWorker: (life) => ended.push(life),
    alive: () => signs.push(clock.now()),
    synced: () => void done.push("synced"),
    serve: () => void done.push("serve"),
    retire: () => void done.push("retire"),
  });
  agent.start();
  await settled();

  const supervisor = (message: AgentMessage, descriptors: readonly number[] = []): void =>
    agent.onMessage(encodeMessage(message, descriptors));
  let nonces = 0;
  return {
    agent,
    clock,
    streams,
    sign,
    lines,
    ended,
    signs,
    done,
    supervisor,
    /** Starts a worker. */
    worker: (index = 0, life: Partial<WorkerLife> = {}): FakeWorker => {
      const [near, far] = makeStreamPair();
      const whole = { index, startId: `start-${index}`, pid: 100 + index, restarts: 0, ...life };
      supervisor({ kind: "worker", ...whole }, [near]);
      return new FakeWorker(whole, far);
    },
    /** Has the control plane respond. @returns the nonce */
    respond: (
      kind: ResourceKind,
      resources: readonly { readonly name: string; readonly version?: string; readonly bytes: Uint8Array }[] = [],
      removedResources: string[] = [],
    ): string => {
      const nonce = `nonce-${++nonces}`;
      const typeUrl = TYPE_URLS[kind];
      streams.at(-1)?.respond({
        typeUrl,
        nonce,
        systemVersionInfo: `version-${nonces}`,
        removedResources,
        resources: resources.map(({ name, version = "1", bytes }) => ({
          name,
          version,
          resource: { typeUrl, value: bytes },
        })),
      });
      return nonce;
    },
    bundle: { name: "cluster.local", bytes: bundleBytes(authority.bundle.roots) },
  };
};

const issue = ({ csr, lifetimeMs }: SigningRequest, now: number): Promise<readonly string[]> => {
  const request = { ...unwrap(parseCsr(csr)), lifetimeMs };
  const leaf = unwrap(issueLeaf(authority.issuing, request, { now, random: randomBytes }));
  return Promise.resolve(formatIssuedChain([leaf, authority.issuing.certificate], authority.bundle));
};

const SETTINGS: AgentSettings = {
  node: "node-1",
  cluster: "Kubernetes",
  trustDomain: authority.trustDomain,
  isolation: "full",
  controlPlane: {
    address: "127.0.0.1:15012",
    name: "heddle-control-plane.heddle-system.svc",
    joinTokenFile: "/nonexistent/token",
    rootsFile: "/nonexistent/roots.pem",
    instance: "",
  },
  adminSocket: join(tmpdir(), "nonexistent", "agent.sock"),
  leafLifetimeMs: 86_400_000,
  logLevel: "info",
  accessLog: "all",
  accessLogRate: 5_000,
};
