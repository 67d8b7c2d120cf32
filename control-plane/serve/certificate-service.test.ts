import { X509Certificate } from "node:crypto";
import { type ServiceError, status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { checkIssuedChain } from "#certs/issue/issued-chain.ts";
import { createCsr } from "#certs/x509/csr.ts";
import { generateKeyPair } from "#certs/x509/key-pair.ts";
import { parsePem } from "#certs/x509/pem.ts";
import { unwrap } from "#mesh/result.ts";
import { parseSpiffeId, parseTrustDomain } from "#mesh/spiffe-id.ts";
import { MemorySource } from "../testing/memory-source.ts";
import { NodeClient, publishedRoots } from "../testing/node-client.ts";
import { podYaml } from "../testing/objects.ts";
import { NOT_AUTHENTICATED } from "./authenticate.ts";
import { startControlPlane } from "../testing/running-control-plane.ts";

const ID = unwrap(parseSpiffeId("spiffe://cluster.local/ns/shop/sa/web"));
const DAY_S = 24 * 3_600;

const setUp = async (env = {}) => {
  const source = new MemorySource(
    podYaml("shop/web", { account: "web" }),
    podYaml("shop/far", { account: "far", node: "node-2" }),
    podYaml("shop/done", { account: "batch", phase: "Succeeded" }),
  );
  const controlPlane = await startControlPlane({ source, env });
  const node = await NodeClient.join(controlPlane, "node-1");
  const audit = () => controlPlane.log.lines.filter(({ facts }) => "audit" in facts).map(({ facts }) => facts);
  return { source, controlPlane, node, audit };
};

const csrFor = (id: string) => createCsr(generateKeyPair(), id as typeof ID);

const refusal = (answer: readonly string[] | ServiceError) => {
  expect(Array.isArray(answer)).toBe(false);
  const { code, details } = answer as ServiceError;
  return { code, details };
};

test("T-22: a node gets the certificate of a pod that is scheduled on it: leaf, issuing CA, and last all roots", async () => {
  const { controlPlane, node, audit } = await setUp();
  const keys = generateKeyPair();
  const answer = await node.certificate({ csr: createCsr(keys, ID), validityDuration: BigInt(DAY_S) });
  const chain = answer as readonly string[];
  expect(chain.length).toBe(3);
  expect(chain[2]).toBe(publishedRoots(controlPlane).toString());
  const roots = unwrap(parsePem("CERTIFICATE", chain[2] ?? ""));
  const bundle = { trustDomain: unwrap(parseTrustDomain("cluster.local")), roots };
  const lifetimeMs = DAY_S * 1_000;
  const checked = checkIssuedChain(chain, { id: ID, key: keys.privateKey, lifetimeMs, bundle, now: Date.now() });
  expect(checked).toMatchObject({ ok: true, value: { id: ID } });
  expect(audit()).toEqual([
    {
      audit: "issued",
      node: "node-1",
      identity: ID,
      serial: new X509Certificate(chain[0] ?? "").serialNumber.toLowerCase(),
      sha256: new X509Certificate(chain[0] ?? "").fingerprint256.replaceAll(":", "").toLowerCase(),
      notAfter: expect.stringMatching(/^20\d\d-/) as string,
    },
  ]);
});

const lifetimeOf = (answer: readonly string[] | ServiceError): number => {
  const { validTo } = new X509Certificate((answer as readonly string[])[0] ?? "");
  return Math.round((Date.parse(validTo) - Date.now()) / 1_000);
};

test.each([
  [0n, 3_600],
  [-5n, 3_600],
  [60n, 60],
  [7_200n, 3_600],
])("asked for %s s, where an hour is the most: the leaf lives %s s", async (validityDuration, expected) => {
  const { node } = await setUp({ HEDDLE_LEAF_LIFETIME: "1h" });
  const seconds = lifetimeOf(await node.certificate({ csr: csrFor(ID), validityDuration }));
  expect(Math.abs(seconds - expected)).toBeLessThanOrEqual(2);
});

test("T-23: a lifetime that nobody gets is an error, as with istiod", async () => {
  const { node } = await setUp();
  const answer = await node.certificate({ csr: csrFor(ID), validityDuration: BigInt(91 * DAY_S) });
  expect(refusal(answer)).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining("7776000 s") as string,
  });
});

test.each([
  ["a pod on another node", "spiffe://cluster.local/ns/shop/sa/far", /is scheduled on node-1/],
  ["a pod that has ended", "spiffe://cluster.local/ns/shop/sa/batch", /is scheduled on node-1/],
  ["a pod that there is not", "spiffe://cluster.local/ns/bank/sa/web", /is scheduled on node-1/],
  [
    "a foreign trust domain",
    "spiffe://other.example/ns/shop/sa/web",
    /trust domain other\.example is not cluster\.local/,
  ],
])("T-23: the identity of %s is refused, without a word where it is", async (_, id, reason) => {
  const { node, audit } = await setUp();
  expect(refusal(await node.certificate({ csr: csrFor(id) }))).toEqual({
    code: status.PERMISSION_DENIED,
    details: `node-1 may not have ${id}`,
  });
  expect(audit()).toMatchObject([
    { audit: "refused", node: "node-1", identity: id, reason: expect.stringMatching(reason) as string },
  ]);
});

test("a node loses what it may ask for with the pod", async () => {
  const { source, controlPlane, node } = await setUp();
  source.remove("Pod shop/web");
  await expect.poll(async () => (await controlPlane.admin.inventory()).pods.length).toBe(2);
  expect(refusal(await node.certificate({ csr: csrFor(ID) })).code).toBe(status.PERMISSION_DENIED);
});

test.each([
  ["no CSR", "", "the CSR is refused"],
  [
    "a CSR that is none",
    "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    "the CSR is refused",
  ],
  ["a CSR of 1 MB", "x".repeat(2 ** 20), "more than 16384"],
])("T-23: %s is refused, and told why", async (_, csr, details) => {
  const { node } = await setUp();
  expect(refusal(await node.certificate({ csr }))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining(details) as string,
  });
});

test("T-23: a CSR whose signature is another key's is refused", async () => {
  const { node } = await setUp();
  const [ours, theirs] = [csrFor(ID), csrFor(ID)].map((pem) =>
    Buffer.from(unwrap(parsePem("CERTIFICATE REQUEST", pem))[0] ?? []),
  );
  // The signature is the last thing in both; the length of what stands before it is the same.
  const spliced = Buffer.concat([ours?.subarray(0, 150) ?? Buffer.of(), theirs?.subarray(150) ?? Buffer.of()]);
  const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${spliced.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  expect(refusal(await node.certificate({ csr })).code).toBe(status.INVALID_ARGUMENT);
});

test("T-23: an impersonated identity other than the one in the CSR is refused; the same is what ztunnel sends", async () => {
  const { node } = await setUp();
  const ImpersonatedIdentity = "spiffe://cluster.local/ns/shop/sa/far";
  expect(refusal(await node.certificate({ csr: csrFor(ID), metadata: { ImpersonatedIdentity } })).code).toBe(
    status.INVALID_ARGUMENT,
  );
  const answer = await node.certificate({ csr: csrFor(ID), metadata: { ImpersonatedIdentity: ID } });
  expect((answer as readonly string[]).length).toBe(3);
});

test.each([
  ["no token", "", "Kubernetes"],
  ["another cluster", undefined, "west"],
])("T-23: a caller with %s learns nothing, whatever it asks", async (_, token, cluster) => {
  const { controlPlane } = await setUp();
  const own = token ?? (await controlPlane.admin.joinToken("node-1"));
  const caller = new NodeClient(controlPlane.target, publishedRoots(controlPlane), own, cluster);
  const answers = [await caller.certificate({ csr: csrFor(ID) }), await caller.certificate({ csr: "nonsense" })];
  for (const answer of answers)
    expect(refusal(answer)).toEqual({ code: status.UNAUTHENTICATED, details: NOT_AUTHENTICATED });
});

test("T-23: a token is good until it expires, and no longer", async () => {
  const { controlPlane } = await setUp();
  const token = await controlPlane.admin.joinToken("node-1", 1);
  const caller = new NodeClient(controlPlane.target, publishedRoots(controlPlane), token);
  expect(Array.isArray(await caller.certificate({ csr: csrFor(ID) }))).toBe(true);
  await expect
    .poll(async () => Array.isArray(await caller.certificate({ csr: csrFor(ID) })), { timeout: 3_000 })
    .toBe(false);
});

test("a node that asks without end is slowed down, and no other", async () => {
  const { controlPlane, node } = await setUp();
  const csr = csrFor("spiffe://cluster.local/ns/shop/sa/far");
  const answers = await Promise.all(Array.from({ length: 1_100 }, async () => node.certificate({ csr })));
  const codes = new Set(answers.map((answer) => refusal(answer).code));
  expect(codes).toEqual(new Set([status.PERMISSION_DENIED, status.RESOURCE_EXHAUSTED]));
  const other = await NodeClient.join(controlPlane, "node-2");
  expect(Array.isArray(await other.certificate({ csr }))).toBe(true);
});
