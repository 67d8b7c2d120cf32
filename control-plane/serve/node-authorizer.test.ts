import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { parseSpiffeId, parseTrustDomain } from "#mesh/spiffe-id.ts";
import { authorizeNode } from "./node-authorizer.ts";

const trustDomain = unwrap(parseTrustDomain("cluster.local"));
const isScheduled = (node: string, namespace: string, account: string) =>
  `${node} ${namespace}/${account}` === "node-1 shop/web";

test.each([
  ["node-1", "spiffe://cluster.local/ns/shop/sa/web", true],
  ["node-2", "spiffe://cluster.local/ns/shop/sa/web", false],
  ["node-1", "spiffe://cluster.local/ns/shop/sa/bank", false],
  ["node-1", "spiffe://cluster.local/ns/bank/sa/web", false],
  ["node-1", "spiffe://other.example/ns/shop/sa/web", false],
])("T-23: node %s asks for %s: %s", (node, id, allowed) => {
  expect(authorizeNode(node, unwrap(parseSpiffeId(id)), trustDomain, isScheduled).ok).toBe(allowed);
});
