import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { enrolledPod } from "../testing/running-agent.ts";
import { NodePods } from "./node-pods.ts";

const nodePods = (): NodePods => new NodePods(unwrap(parseTrustDomain("example.org")));

test("a pod's identity is its service account in this trust domain", () => {
  const pods = nodePods();
  pods.set(1, 0, enrolledPod());
  expect(pods.get(1)?.identity).toBe("spiffe://example.org/ns/shop/sa/web");
});

test("a pod that moves stays one pod, with what is known of its rules", () => {
  const pods = nodePods();
  pods.set(1, 0, enrolledPod());
  const before = pods.get(1);
  if (before) before.captureProblem = "the nft rules are gone";
  pods.set(1, 2, enrolledPod());
  expect(pods.all).toMatchObject([{ slot: 1, worker: 2, captureProblem: "the nft rules are gone" }]);
});

test("a slot that is gone takes its pod along and no other, and a new pod starts without an old one's problem", () => {
  const pods = nodePods();
  pods.set(1, 0, enrolledPod());
  pods.set(2, 0, enrolledPod({ uid: "other", serviceAccount: "cart" }));
  const first = pods.get(1);
  if (first) first.captureProblem = "lost";
  pods.delete(1);
  pods.delete(7);
  expect(pods.all.map(({ slot }) => slot)).toEqual([2]);
  pods.set(1, 0, enrolledPod());
  expect(pods.get(1)?.captureProblem).toBeUndefined();
});

test("certificates are needed for each identity in each home", () => {
  const pods = nodePods();
  pods.set(1, 0, enrolledPod());
  pods.set(2, 1, enrolledPod({ uid: "2" }));
  pods.set(3, 0, enrolledPod({ uid: "3", serviceAccount: "cart" }));
  const identity = (name: string): string => `spiffe://example.org/ns/shop/sa/${name}`;
  expect(pods.certificateOwners).toEqual([
    { identity: identity("web"), worker: 0 },
    { identity: identity("web"), worker: 1 },
    { identity: identity("cart"), worker: 0 },
  ]);
});

test("pods are not all known before the enroller says so", () => {
  expect(nodePods().isComplete).toBe(false);
});
