import * as fc from "fast-check";
import { expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";

import { formatState, parseState } from "./authority-record.ts";
import {
  DEFAULT_PACE,
  dueEvent,
  firstRotationState,
  type NodeTrust,
  nodesWithout,
  type RotationEvent,
  type RotationState,
  type RotationView,
  transition,
  trustedRoots,
} from "./rotation.ts";

const { settleMs: SETTLE_MS, minRetirementMs: MIN_RETIREMENT_MS } = DEFAULT_PACE;
const A = "a".repeat(64);
const B = "b".repeat(64);
const C = "c".repeat(64);
const DAY_MS = 24 * 3_600_000;

const node = (name: string, roots: readonly string[], disconnectedSince?: number): NodeTrust => ({
  node: name,
  roots: new Set(roots),
  disconnectedSince,
});

const view = (now: number, nodes: readonly NodeTrust[], rest: Partial<RotationView> = {}): RotationView => ({
  now,
  watchingSince: 0,
  nodes,
  leftBehind: new Set(),
  pace: DEFAULT_PACE,
  isUnused: () => false,
  ...rest,
});

const after = (state: RotationState, ...events: readonly RotationEvent[]): RotationState =>
  events.reduce((current, event) => unwrap(transition(current, event)), state);

const announced = after(firstRotationState(A), { kind: "announce", root: B, now: 0 });
const retiring = after(
  firstRotationState(A),
  { kind: "lend", lifetimeMs: DAY_MS },
  { kind: "lend", lifetimeMs: 1000 },
  { kind: "announce", root: B, now: 0 },
  { kind: "sign", now: SETTLE_MS },
);

test("an announced root is trusted and does not sign", () => {
  expect(trustedRoots(announced)).toEqual([A, B]);
  expect(announced.signing.root).toBe(A);
});

test("a new root signs when every connected node has acknowledged it, one of them 60 s late", () => {
  const late = view(60_000, [node("node-1", [A, B]), node("node-2", [A])]);
  expect(dueEvent(announced, late)).toBeUndefined();
  expect(nodesWithout(announced, late)).toEqual(["node-2"]);
  const all = view(60_001, [node("node-1", [A, B]), node("node-2", [A, B])]);
  expect(dueEvent(announced, all)).toEqual({ kind: "sign", now: 60_001 });
});

test("a new root does not sign before nodes had time to connect, after a start as after an announcement", () => {
  const nodes = [node("node-1", [A, B])];
  expect(dueEvent(announced, view(SETTLE_MS - 1, nodes, { watchingSince: -DAY_MS }))).toBeUndefined();
  expect(dueEvent(announced, view(DAY_MS, nodes, { watchingSince: DAY_MS - SETTLE_MS + 1 }))).toBeUndefined();
  expect(dueEvent(announced, view(DAY_MS, nodes, { watchingSince: DAY_MS - SETTLE_MS }))).toMatchObject({
    kind: "sign",
  });
});

test("a root that was announced while the clock was ahead does not wait for that time to come", () => {
  const nodes = [node("node-1", [A, B])];
  const early = after(firstRotationState(A), { kind: "announce", root: B, now: 10 * DAY_MS });
  expect(dueEvent(early, view(DAY_MS, nodes, { watchingSince: DAY_MS - SETTLE_MS }))).toMatchObject({ kind: "sign" });
  expect(dueEvent(early, view(DAY_MS, nodes, { watchingSince: DAY_MS - SETTLE_MS + 1 }))).toBeUndefined();
});

test("a node that is gone is waited for as long as it can hold a certificate, and as it may be reconnecting", () => {
  const lost = (since: number) => view(DAY_MS, [node("node-1", [A, B]), node("node-2", [A], since)]);
  expect(nodesWithout(announced, lost(DAY_MS - SETTLE_MS + 1))).toEqual(["node-2"]);
  expect(nodesWithout(announced, lost(DAY_MS - SETTLE_MS))).toEqual([]);
  const lent = after(announced, { kind: "lend", lifetimeMs: DAY_MS / 2 });
  expect(nodesWithout(lent, lost(DAY_MS / 2 + 1))).toEqual(["node-2"]);
  expect(dueEvent(lent, lost(DAY_MS / 2 + 1))).toBeUndefined();
  expect(nodesWithout(lent, lost(DAY_MS / 2))).toEqual([]);
  expect(dueEvent(lent, lost(DAY_MS / 2))).toMatchObject({ kind: "sign" });
});

test("a node that is gone is also waited for with a certificate under the root before", () => {
  const second = after(retiring, { kind: "announce", root: C, now: SETTLE_MS });
  const lost = (now: number) => view(now, [node("node-1", [A, B], SETTLE_MS)]);
  expect(nodesWithout(second, lost(SETTLE_MS + DAY_MS - 1))).toEqual(["node-1"]);
  expect(nodesWithout(second, lost(SETTLE_MS + DAY_MS))).toEqual([]);
});

test("a node that is left behind is not waited for, connected or not, and the others are", () => {
  const nodes = [node("node-1", [A]), node("node-2", [A]), node("node-3", [A], DAY_MS)];
  const without = (...names: readonly string[]) => view(DAY_MS, nodes, { leftBehind: new Set(names) });
  expect(nodesWithout(announced, without("node-2", "node-3"))).toEqual(["node-1"]);
  expect(dueEvent(announced, without("node-1", "node-2", "node-3"))).toMatchObject({ kind: "sign" });
});

test("the old root stays trusted until the longest leaf under it has ended", () => {
  expect(trustedRoots(retiring)).toEqual([A, B]);
  expect(retiring.signing.root).toBe(B);
  const end = SETTLE_MS + DAY_MS;
  expect(dueEvent(retiring, view(end - 1, []))).toBeUndefined();
  expect(dueEvent(retiring, view(end, []))).toEqual({ kind: "drop", root: A });
});

test("the old root stays for a while even if its leaves were shorter", () => {
  const short = after(
    firstRotationState(A),
    { kind: "lend", lifetimeMs: 1000 },
    { kind: "announce", root: B, now: 0 },
    { kind: "sign", now: SETTLE_MS },
  );
  expect(dueEvent(short, view(SETTLE_MS + MIN_RETIREMENT_MS - 1, []))).toBeUndefined();
  expect(dueEvent(short, view(SETTLE_MS + MIN_RETIREMENT_MS, []))).toEqual({ kind: "drop", root: A });
});

test("the old root goes sooner when nothing under it is in use, but not at once", () => {
  const unused = (now: number) => view(now, [], { isUnused: (root) => root === A });
  expect(dueEvent(retiring, unused(SETTLE_MS + MIN_RETIREMENT_MS - 1))).toBeUndefined();
  expect(dueEvent(retiring, unused(SETTLE_MS + MIN_RETIREMENT_MS))).toEqual({ kind: "drop", root: A });
});

test("an announcement can be withdrawn until the new root signs", () => {
  expect(after(announced, { kind: "cancel" })).toEqual(firstRotationState(A));
  expect(transition(retiring, { kind: "cancel" })).toEqual({ ok: false, error: "no root is announced" });
});

test.each<[string, RotationState, RotationEvent]>([
  ["a second root is announced", announced, { kind: "announce", root: C, now: 0 }],
  ["a trusted root is announced", retiring, { kind: "announce", root: A, now: 0 }],
  ["the signing root is announced", retiring, { kind: "announce", root: B, now: 0 }],
  ["nothing that was announced signs", retiring, { kind: "sign", now: 0 }],
  ["the signing root is dropped", retiring, { kind: "drop", root: B }],
  ["an announced root is dropped", announced, { kind: "drop", root: B }],
  ["a stranger is dropped", retiring, { kind: "drop", root: C }],
])("it cannot happen that %s", (_, state, event) => {
  expect(transition(state, event).ok).toBe(false);
});

test("a second rotation may begin while the first root still retires", () => {
  const second = after(retiring, { kind: "announce", root: C, now: SETTLE_MS }, { kind: "sign", now: 2 * SETTLE_MS });
  expect(trustedRoots(second)).toEqual([A, B, C]);
  expect(second.signing.root).toBe(C);
});

/** A mesh over time: what operators, nodes, clocks and crashes do, in any order. */
const anyStep = fc.oneof(
  fc.record({ kind: fc.constant("announce" as const) }),
  fc.record({ kind: fc.constant("cancel" as const) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: DAY_MS }) }),
  fc.record({ kind: fc.constant("acknowledge" as const), node: fc.nat(1) }),
  fc.record({ kind: fc.constant("connect" as const), node: fc.nat(1) }),
  fc.record({ kind: fc.constant("disconnect" as const), node: fc.nat(1) }),
  fc.record({ kind: fc.constant("issue" as const), node: fc.nat(1), lifetimeMs: fc.integer({ min: 1, max: DAY_MS }) }),
  fc.record({ kind: fc.constant("restart" as const) }),
);

type Step = typeof anyStep extends fc.Arbitrary<infer Value> ? Value : never;

/** Plays the steps and holds, after each, what must never happen. */
class Mesh {
  now = 0;
  state = firstRotationState(rootName(0));
  readonly #nodes = Array.from({ length: 2 }, (_, index) => node(`node-${index}`, [rootName(0)]));
  readonly #leaves: { root: string; notAfter: number; node: number }[] = [];
  #watchingSince = 0;
  #roots = 1;

  play(step: Step): void {
    if (step.kind === "wait") this.now += step.ms;
    if (step.kind === "announce") this.#try({ kind: "announce", root: rootName(this.#roots++), now: this.now });
    if (step.kind === "cancel") this.#try({ kind: "cancel" });
    if (step.kind === "restart") this.#restart();
    if (step.kind === "connect") this.#change(step.node, { disconnectedSince: undefined });
    if (step.kind === "disconnect") this.#change(step.node, { disconnectedSince: this.now });
    if (step.kind === "acknowledge") this.#acknowledge(step.node);
    if (step.kind === "issue") this.#issue(step.node, step.lifetimeMs);
    this.advance();
  }

  advance(): void {
    for (let event = dueEvent(this.state, this.view()); event; event = dueEvent(this.state, this.view())) {
      if (event.kind === "sign") this.#expectEverybodyKnows();
      this.state = unwrap(transition(this.state, event));
    }
    this.#expectEveryLeafIsTrusted();
  }

  acknowledgeAll(): void {
    for (const index of this.#nodes.keys()) this.#acknowledge(index);
  }

  view(): RotationView {
    const isUnused = (root: string) => !this.#leaves.some((leaf) => leaf.root === root && leaf.notAfter > this.now);
    return view(this.now, this.#nodes, { watchingSince: this.#watchingSince, isUnused });
  }

  #try(event: RotationEvent): void {
    const next = transition(this.state, event);
    if (next.ok) this.state = next.value;
  }

  #change(index: number, change: Partial<NodeTrust>): void {
    const current = this.#nodes[index];
    if (current) this.#nodes[index] = { ...current, ...change };
  }

  #acknowledge(index: number): void {
    if (this.#nodes[index]?.disconnectedSince === undefined) {
      this.#change(index, { roots: new Set(trustedRoots(this.state)) });
    }
  }

  #issue(node: number, lifetimeMs: number): void {
    if (this.#nodes[node]?.disconnectedSince !== undefined) return;
    this.#try({ kind: "lend", lifetimeMs });
    this.#leaves.push({ root: this.state.signing.root, notAfter: this.now + lifetimeMs, node });
  }

  #restart(): void {
    this.state = restored(this.state);
    this.#watchingSince = this.now;
  }

  #expectEverybodyKnows(): void {
    const root = this.state.announced?.root ?? "";
    // Also one that is gone, as long as somebody would believe it: it serves on, and must believe the others.
    const isAlive = (index: number) => this.#leaves.some((leaf) => leaf.node === index && leaf.notAfter > this.now);
    const serving = this.#nodes.filter(
      ({ disconnectedSince }, index) => disconnectedSince === undefined || isAlive(index),
    );
    expect(serving.every(({ roots }) => roots.has(root))).toBe(true);
  }

  #expectEveryLeafIsTrusted(): void {
    const alive = this.#leaves.filter(({ notAfter }) => notAfter > this.now).map(({ root }) => root);
    expect(trustedRoots(this.state)).toEqual(expect.arrayContaining(alive));
    expect(trustedRoots(this.state)).toContain(this.state.signing.root);
  }
}

const rootName = (index: number): string => index.toString(16).padStart(64, "0");

/** As it comes back from the disk. */
const restored = (rotation: RotationState): RotationState => {
  const roots = trustedRoots(rotation).map((fingerprint) => ({ fingerprint, key: "absent" as const }));
  const record = { trustDomain: "cluster.local" as never, roots, issuing: [], rotation };
  const read = unwrap(parseState(formatState({ kind: "ready", record })));
  return read.kind === "ready" ? read.record.rotation : rotation;
};

test("whatever happens, no root signs that a serving node does not know, and no living leaf loses its root", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const mesh = new Mesh();
      for (const step of steps) mesh.play(step);
    }),
    { numRuns: 3000 },
  );
});

test("whatever happened, a rotation comes to its end once all nodes acknowledge, and one root is left", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const mesh = new Mesh();
      for (const step of steps) mesh.play(step);
      mesh.acknowledgeAll();
      // What a node that is gone holds has ended by then.
      mesh.now += DAY_MS;
      mesh.acknowledgeAll();
      mesh.advance();
      expect(mesh.state.announced).toBeUndefined();
      mesh.now += 2 * DAY_MS;
      mesh.advance();
      expect(trustedRoots(mesh.state)).toEqual([mesh.state.signing.root]);
    }),
  );
});

test("a rotation is the same after a restart, in whatever state", () => {
  for (const state of [
    firstRotationState(A),
    announced,
    retiring,
    after(retiring, { kind: "announce", root: C, now: 7 }),
  ]) {
    expect(restored(state)).toEqual(state);
  }
});
