import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "#mesh/clock.ts";
import { address } from "../testing/inventory-examples.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { EnrolmentLink } from "./enrolment-link.ts";
import type { EnrolledPod } from "./messages.ts";

const pod = (uid: string): EnrolledPod => ({
  uid,
  namespace: "shop",
  name: `web-${uid}`,
  serviceAccount: "web",
  addresses: [address("10.244.1.10")],
  netns: `/run/netns/shop.web-${uid}`,
  node: "node-1",
  probeAddresses: [],
  capabilities: [],
});

interface Received {
  readonly kind: string;
  readonly uid?: string;
  readonly pod?: EnrolledPod;
}

/** A supervisor that answers as it is told. */
class Supervisor {
  readonly received: string[] = [];
  readonly path: string;
  answer = (request: Received): object | undefined => ANSWERS[request.kind]?.(request);
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  constructor(path: string) {
    this.path = path;
  }

  start(): void {
    rmSync(this.path, { force: true });
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      createInterface(socket).on("line", (line) => {
        const request = JSON.parse(line) as Received;
        this.received.push(`${request.kind} ${request.pod?.uid ?? request.uid ?? ""}`.trim());
        const reply = this.answer(request);
        if (reply !== undefined) socket.write(`${JSON.stringify({ version: 1, ...reply })}\n`);
      });
    }).listen(this.path);
  }

  die(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    this.#server?.close();
    this.received.length = 0;
  }
}

const ANSWERS: Readonly<Record<string, (request: Received) => object>> = {
  enrol: ({ pod }) => ({ kind: "enrolled", uid: pod?.uid }),
  drain: ({ uid }) => ({ kind: "draining", uid }),
  withdraw: ({ uid }) => ({ kind: "withdrawn", uid }),
  complete: () => ({ kind: "completed" }),
};

const connected = () => {
  const path = join(temporaryFolder(), "enrol.sock");
  const supervisor = new Supervisor(path);
  const onLost = vi.fn<(uid: string, reason: string) => void>();
  const link = new EnrolmentLink({ path, clock: systemClock, random: () => 0.5, onLost });
  onTestFinished(() => {
    link.close();
    supervisor.die();
  });
  return { supervisor, link, onLost };
};

const forever = new AbortController().signal;

test("a pod is enrolled when the supervisor says so", async () => {
  const { supervisor, link } = connected();
  supervisor.start();
  link.open();
  expect(await link.enrol(pod("1"), forever)).toEqual({ ok: true, value: undefined });
});

test("a refusal carries the supervisor's reason", async () => {
  const { supervisor, link } = connected();
  supervisor.answer = ({ pod }) => ({ kind: "refused", uid: pod?.uid, reason: "it is the node's own namespace" });
  supervisor.start();
  link.open();
  expect(await link.enrol(pod("1"), forever)).toEqual({ ok: false, error: "it is the node's own namespace" });
});

test("while the supervisor is away enrolling waits", async () => {
  const { supervisor, link } = connected();
  link.open();
  const enrolled = link.enrol(pod("1"), forever);
  await expect.poll(() => link.connected).toBe(false);
  supervisor.start();
  expect((await enrolled).ok).toBe(true);
});

test("enrolling can be given up", async () => {
  const { link } = connected();
  const controller = new AbortController();
  const enrolled = link.enrol(pod("1"), controller.signal);
  controller.abort();
  expect(await enrolled).toEqual({ ok: false, error: "it is no longer wanted" });
});

test("what is given up is taken back, in case the supervisor had taken it", async () => {
  const { supervisor, link } = connected();
  supervisor.answer = ({ kind, uid }) => (kind === "withdraw" ? { kind: "withdrawn", uid } : undefined);
  supervisor.start();
  link.open();
  const controller = new AbortController();
  const enrolled = link.enrol(pod("1"), controller.signal);
  await expect.poll(() => supervisor.received).toContain("enrol 1");
  controller.abort();
  await enrolled;
  expect(supervisor.received.at(-1)).toBe("withdraw 1");
});

test("a supervisor that was restarted is told of every pod again, and that these are all", async () => {
  const { supervisor, link } = connected();
  supervisor.start();
  link.open();
  await link.enrol(pod("1"), forever);
  await link.enrol(pod("2"), forever);
  await link.withdraw("1");
  await link.enrol(pod("3"), forever);
  supervisor.die();
  supervisor.start();
  await expect.poll(() => supervisor.received).toEqual(["enrol 2", "enrol 3", "complete"]);
});

test("a pod that is refused when it is named again is lost, and said to be", async () => {
  const { supervisor, link, onLost } = connected();
  supervisor.start();
  link.open();
  await link.enrol(pod("1"), forever);
  supervisor.die();
  supervisor.answer = ({ kind, pod }) =>
    kind === "enrol" ? { kind: "refused", uid: pod?.uid, reason: "no" } : { kind: "completed" };
  supervisor.start();
  await expect.poll(() => onLost.mock.calls).toEqual([["1", "no"]]);
});

test("draining and withdrawing wait for the supervisor's word, and not for one that died", async () => {
  const { supervisor, link } = connected();
  supervisor.start();
  link.open();
  await link.enrol(pod("1"), forever);
  await link.drain("1");
  expect(supervisor.received.at(-1)).toBe("drain 1");
  supervisor.answer = () => undefined;
  const withdrawn = link.withdraw("1");
  await expect.poll(() => supervisor.received.at(-1)).toBe("withdraw 1");
  supervisor.die();
  await withdrawn;
});

test("a refusal to drain ends the waiting too", async () => {
  const { supervisor, link } = connected();
  supervisor.start();
  link.open();
  await link.enrol(pod("1"), forever);
  supervisor.answer = ({ uid }) => ({ kind: "refused", uid, reason: "this pod is not enrolled" });
  await link.drain("1");
});
