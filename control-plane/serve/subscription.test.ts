import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Resource, resourceOf } from "../publish/resource.ts";
import type { ResourceView } from "../publish/resource-view.ts";
import { Subscription } from "./subscription.ts";

/** Resources by name; `alias@name` is a second name, and everything named `svc...` has the `pod...` behind it. */
const viewOf = (
  contents: Readonly<Record<string, string>>,
  aliases: Readonly<Record<string, string>> = {},
): ResourceView => {
  const resources = new Map<string, Resource>(
    Object.entries(contents).map(([name, content]) => [name, resourceOf(name, [], Buffer.from(content))]),
  );
  return {
    get: (name) => resources.get(name),
    names: () => resources.keys(),
    find: (name) => {
      const own = aliases[name] ?? name;
      return resources.has(own) ? [own] : [];
    },
    behind: (name) => (name.startsWith("svc") ? [...resources.keys()].filter((key) => key.startsWith("pod")) : []),
  };
};

const versionOf = (content: string): string => resourceOf("", [], Buffer.from(content)).version;

const ask = (
  subscription: Subscription,
  view: ResourceView,
  { subscribe = [], unsubscribe = [], initialVersions = {} }: Partial<Parameters<Subscription["request"]>[0]> = {},
) => subscription.request({ subscribe, unsubscribe, initialVersions }, view);

/** What comes next, by names. */
const next = (subscription: Subscription, view: ResourceView, nonce = "1", mayRemove = true) => {
  const payload = subscription.next(view, nonce, mayRemove);
  return payload && { resources: payload.resources.map(({ name }) => name), removed: payload.removed };
};

const ABC = { a: "1", b: "1", c: "1" };
const NOTHING = { resources: [], removed: [] };

test.each([
  ["with no names at all (legacy)", {}],
  ["with *", { subscribe: ["*"] }],
])("a first request %s is for everything, and is answered even where there is nothing", (_, names) => {
  const full = new Subscription();
  ask(full, viewOf(ABC), names);
  expect(next(full, viewOf(ABC))).toEqual({ resources: ["a", "b", "c"], removed: [] });
  const empty = new Subscription();
  ask(empty, viewOf({}), names);
  expect(next(empty, viewOf({}))).toEqual(NOTHING);
});

test("a first request that subscribes and unsubscribes * begins with nothing, and is not answered", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC), { subscribe: ["*"], unsubscribe: ["*"] });
  expect(next(subscription, viewOf(ABC))).toBe(undefined);
  ask(subscription, viewOf(ABC), { subscribe: ["b"] });
  expect(next(subscription, viewOf(ABC))).toEqual({ resources: ["b"], removed: [] });
});

test("a first request that only unsubscribes is for nothing", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC), { unsubscribe: ["a"] });
  expect(next(subscription, viewOf(ABC))).toBe(undefined);
});

test("names one by one bring those resources; what does not exist is removed, and sent when it appears", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC), { subscribe: ["a", "z"] });
  expect(next(subscription, viewOf(ABC))).toEqual({ resources: ["a"], removed: ["z"] });
  subscription.acknowledge("1");
  const later = viewOf({ ...ABC, z: "1" });
  subscription.changed(["z"]);
  expect(next(subscription, later)).toEqual({ resources: ["z"], removed: [] });
});

test("an alias brings the resource under its own name, a service everybody behind it", () => {
  const view = viewOf({ svc: "1", pod1: "1", pod2: "1", other: "1" }, { "/10.0.0.1": "svc", "/10.0.0.2": "pod1" });
  const byService = new Subscription();
  ask(byService, view, { subscribe: ["/10.0.0.1"] });
  expect(next(byService, view)).toEqual({ resources: ["svc", "pod1", "pod2"], removed: [] });
  const byPod = new Subscription();
  ask(byPod, view, { subscribe: ["/10.0.0.2", "/10.0.0.3"] });
  expect(next(byPod, view)).toEqual({ resources: ["pod1"], removed: ["/10.0.0.3"] });
});

test("who comes to stand behind a subscribed service is sent, who leaves it is removed", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ svc: "1", pod1: "1" }), { subscribe: ["svc"] });
  next(subscription, viewOf({ svc: "1", pod1: "1" }));
  subscription.acknowledge("1");
  subscription.changed(["pod1", "pod2"]);
  expect(next(subscription, viewOf({ svc: "1", pod2: "1" }))).toEqual({ resources: ["pod2"], removed: ["pod1"] });
});

test("only what changed is sent, and nothing twice", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC));
  next(subscription, viewOf(ABC));
  subscription.acknowledge("1");
  expect(next(subscription, viewOf(ABC))).toBe(undefined);
  subscription.changed(["a", "b", "c"]);
  expect(next(subscription, viewOf({ a: "1", b: "2" }))).toEqual({ resources: ["b"], removed: ["c"] });
});

test("one response is on its way at a time; what changes meanwhile follows its answer", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ a: "1" }));
  next(subscription, viewOf({ a: "1" }), "1");
  subscription.changed(["a"]);
  expect(next(subscription, viewOf({ a: "2" }), "2")).toBe(undefined);
  subscription.changed(["a"]);
  expect(subscription.acknowledge("1")).toBe(true);
  expect(next(subscription, viewOf({ a: "3" }), "2")).toEqual({ resources: ["a"], removed: [] });
});

test("subscribing again to what is held is answered again", () => {
  for (const first of [{ subscribe: ["a"] }, {}]) {
    const subscription = new Subscription();
    ask(subscription, viewOf(ABC), first);
    next(subscription, viewOf(ABC));
    subscription.acknowledge("1");
    ask(subscription, viewOf(ABC), { subscribe: ["a"] });
    expect(next(subscription, viewOf(ABC))).toEqual({ resources: ["a"], removed: [] });
  }
});

test("unsubscribing needs no answer, and ends what comes of that name", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC), { subscribe: ["a", "b"] });
  next(subscription, viewOf(ABC));
  subscription.acknowledge("1");
  ask(subscription, viewOf(ABC), { unsubscribe: ["a", "never"] });
  expect(next(subscription, viewOf(ABC))).toBe(undefined);
  subscription.changed(["a", "b"]);
  expect(next(subscription, viewOf({ a: "2", b: "2" }))).toEqual({ resources: ["b"], removed: [] });
});

test("who unsubscribes a service is told that those behind it, whom it never asked for, are no longer its own", () => {
  const view = viewOf({ svc: "1", pod1: "1", pod2: "1" });
  const subscription = new Subscription();
  ask(subscription, view, { subscribe: ["svc", "pod2"] });
  next(subscription, view);
  subscription.acknowledge("1");
  ask(subscription, view, { unsubscribe: ["svc"] });
  expect(next(subscription, view)).toEqual({ resources: [], removed: ["pod1"] });
});

test("unsubscribing a name under a wildcard is answered with the resource, or its absence", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC), { subscribe: ["*", "a", "z"] });
  next(subscription, viewOf(ABC));
  subscription.acknowledge("1");
  ask(subscription, viewOf(ABC), { unsubscribe: ["a", "z"] });
  expect(next(subscription, viewOf(ABC))).toEqual({ resources: ["a"], removed: ["z"] });
});

test("unsubscribing the wildcard leaves the names", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC), { subscribe: ["*", "a"] });
  next(subscription, viewOf(ABC));
  subscription.acknowledge("1");
  ask(subscription, viewOf(ABC), { unsubscribe: ["*"] });
  expect(next(subscription, viewOf(ABC))).toBe(undefined);
  subscription.changed(["a", "b"]);
  expect(next(subscription, viewOf({ a: "2", b: "2", c: "1" }))).toEqual({ resources: ["a"], removed: [] });
});

test("X-06: after a reconnect only differences are sent, and removals of what went away meanwhile", () => {
  const subscription = new Subscription();
  const initialVersions = { a: versionOf("1"), b: versionOf("old"), gone: versionOf("1") };
  ask(subscription, viewOf(ABC), { initialVersions });
  expect(next(subscription, viewOf(ABC))).toEqual({ resources: ["b", "c"], removed: ["gone"] });
});

test("X-06: a reconnect with names one by one brings differences only, and what the client still waits for", () => {
  const subscription = new Subscription();
  const initialVersions = { a: versionOf("1"), b: versionOf("old"), c: "", z: "" };
  ask(subscription, viewOf(ABC), { subscribe: ["a", "b", "c", "z"], initialVersions });
  expect(next(subscription, viewOf(ABC))).toEqual({ resources: ["c", "b"], removed: ["z"] });
});

test("X-06: a wildcard with nothing new is answered with nothing, so that the client knows", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ a: "1" }), { initialVersions: { a: versionOf("1") } });
  expect(next(subscription, viewOf({ a: "1" }))).toEqual(NOTHING);
});

test("X-03: initial versions count in the first request only", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ a: "1" }));
  next(subscription, viewOf({ a: "1" }));
  subscription.acknowledge("1");
  ask(subscription, viewOf({ a: "1" }), { initialVersions: { gone: "1" } });
  expect(next(subscription, viewOf({ a: "1" }))).toBe(undefined);
});

test("X-03: a name twice counts once, an empty one not at all", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC), { subscribe: ["a", "a", ""] });
  expect(next(subscription, viewOf(ABC))).toEqual({ resources: ["a"], removed: [] });
});

test("X-03: a stale nonce is no answer", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ a: "1" }));
  next(subscription, viewOf({ a: "1" }), "1");
  expect([subscription.acknowledge("0"), subscription.reject("7", "bad")]).toEqual([false, false]);
  expect([subscription.isDelivered, subscription.rejection]).toEqual([false, undefined]);
  expect([subscription.acknowledge("1"), subscription.acknowledge("1")]).toEqual([true, false]);
});

test("X-03: names without end are refused", () => {
  const subscription = new Subscription();
  expect(ask(subscription, viewOf({}), { subscribe: ["x".repeat(1_025)] }).ok).toBe(false);
  const names = Array.from({ length: 100_001 }, (_, index) => `n${index}`);
  expect(ask(new Subscription(), viewOf({}), { subscribe: names }).ok).toBe(false);
});

test("X-01, X-02: what was refused is not sent again until it is different, and the reason is kept", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC));
  next(subscription, viewOf(ABC), "1");
  subscription.reject("1", "a: unknown tunnel protocol");
  expect([subscription.rejection, subscription.isSynced]).toEqual(["a: unknown tunnel protocol", false]);
  for (let count = 0; count < 100; count++) {
    subscription.changed(["a", "b"]);
    expect(next(subscription, viewOf(ABC), "2")).toBe(undefined);
  }
  subscription.changed(["b"]);
  expect(next(subscription, viewOf({ ...ABC, b: "2" }), "2")).toEqual({ resources: ["b"], removed: [] });
  subscription.acknowledge("2");
  expect(subscription.rejection).toBe("a: unknown tunnel protocol");
  subscription.changed(["a"]);
  expect(next(subscription, viewOf({ ...ABC, a: "2", b: "2" }), "3")).toEqual({ resources: ["a"], removed: [] });
  subscription.acknowledge("3");
  expect([subscription.rejection, subscription.isSynced]).toEqual([undefined, true]);
});

test("X-01: a refused resource that is removed is no longer refused", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ a: "1" }));
  next(subscription, viewOf({ a: "1" }), "1");
  subscription.reject("1", "a is bad");
  subscription.changed(["a"]);
  expect(next(subscription, viewOf({}), "2")).toEqual({ resources: [], removed: ["a"] });
  subscription.acknowledge("2");
  expect(subscription.isSynced).toBe(true);
});

test("X-01: where the client names no culprit, a good response about any of them ends the refusal", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf(ABC));
  next(subscription, viewOf(ABC), "1");
  subscription.reject("1", "something is wrong");
  expect(["a", "b"].map((name) => subscription.acceptedVersion(name))).toEqual([undefined, undefined]);
  subscription.changed(["b"]);
  next(subscription, viewOf({ ...ABC, b: "2" }), "2");
  subscription.acknowledge("2");
  expect(subscription.rejection).toBe(undefined);
});

test("a version counts as accepted from its answer on", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ a: "1" }));
  next(subscription, viewOf({ a: "1" }), "1");
  expect(subscription.acceptedVersion("a")).toBe(undefined);
  subscription.acknowledge("1");
  expect(subscription.acceptedVersion("a")).toBe(versionOf("1"));
});

test("removals that have to wait come later, and what is new does not wait for them", () => {
  const subscription = new Subscription();
  ask(subscription, viewOf({ a: "1" }));
  next(subscription, viewOf({ a: "1" }), "1");
  subscription.acknowledge("1");
  subscription.changed(undefined);
  expect(next(subscription, viewOf({ b: "1" }), "2", false)).toEqual({ resources: ["b"], removed: [] });
  subscription.acknowledge("2");
  expect([next(subscription, viewOf({ b: "1" }), "3", false), subscription.isSynced]).toEqual([undefined, false]);
  expect(next(subscription, viewOf({ b: "1" }), "3")).toEqual({ resources: [], removed: ["a"] });
});

test("X-03: more than one message may hold is sent in several", () => {
  const big = "x".repeat(20 * 2 ** 20);
  const view = viewOf({ a: big, b: big, c: "1" });
  const subscription = new Subscription();
  ask(subscription, view);
  expect(next(subscription, view, "1")).toEqual({ resources: ["a"], removed: [] });
  subscription.acknowledge("1");
  expect(next(subscription, view, "2")).toEqual({ resources: ["b", "c"], removed: [] });
  subscription.acknowledge("2");
  expect(subscription.isSynced).toBe(true);
});

// A client that keeps what it is sent ends with what it should have, whatever happens in between.
const contents = fc.dictionary(fc.constantFrom("svc", "pod1", "pod2", "x"), fc.constantFrom("1", "2"), {
  noNullPrototype: true,
});
const event = fc.oneof(
  fc.record({ kind: fc.constant("change" as const), contents }),
  fc.record({ kind: fc.constant("answer" as const), isGood: fc.boolean() }),
  fc.record({ kind: fc.constant("subscribe" as const), name: fc.constantFrom("svc", "pod1", "x", "/alias", "*") }),
  fc.record({ kind: fc.constant("unsubscribe" as const), name: fc.constantFrom("svc", "pod1", "x", "*") }),
  fc.record({ kind: fc.constant("reconnect" as const) }),
);

test("whatever happens, a client that asks for everything ends with everything, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const aliases = { "/alias": "pod2" };
      let view = viewOf({}, aliases);
      let subscription = new Subscription();
      const client = new Map<string, string>();
      let nonce = 0;
      ask(subscription, view);
      const exchange = (isGood = true): void => {
        const payload = subscription.next(view, String((nonce += 1)));
        for (const { name, version } of payload?.resources ?? []) client.set(name, version);
        for (const name of payload?.removed ?? []) client.delete(name);
        if (!payload) return;
        if (isGood) subscription.acknowledge(String(nonce));
        else subscription.reject(String(nonce), "bad");
      };
      for (const event of events) {
        if (event.kind === "change") {
          const names = new Set([...view.names(), ...Object.keys(event.contents)]);
          view = viewOf(event.contents, aliases);
          subscription.changed(names);
        } else if (event.kind === "answer") exchange(event.isGood);
        else if (event.kind === "subscribe") ask(subscription, view, { subscribe: [event.name] });
        else if (event.kind === "unsubscribe" && event.name !== "*")
          ask(subscription, view, { unsubscribe: [event.name] });
        else if (event.kind === "reconnect") {
          subscription = new Subscription();
          ask(subscription, view, { subscribe: ["*"], initialVersions: Object.fromEntries(client) });
        }
      }
      for (let count = 0; count < 3; count++) exchange();
      const wanted = [...view.names()].map((name) => [name, view.get(name)?.version] as const);
      expect(Object.fromEntries(client)).toEqual(Object.fromEntries(wanted));
    }),
    { numRuns: 2_000 },
  );
});
