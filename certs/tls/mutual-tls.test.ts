import { generateKeyPairSync } from "node:crypto";
import { checkServerIdentity, type ConnectionOptions, createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";

import {
  anyExtension,
  authorityExtensions,
  hostileCertificate,
  leafExtensions,
} from "../testing/hostile-certificate.ts";
import {
  chainOf,
  leafUnder,
  leafUnderIntermediate,
  signerOf,
  wrongIntermediates,
  wrongLeaves,
} from "../testing/hostile-chains.ts";
import { testAuthority } from "../testing/test-authority.ts";
import { ANSWER, carelessClient, dial, startServer, type TestServer } from "../testing/tls-pair.ts";
import type { Credentials } from "../verify/credentials.ts";
import * as encode from "../x509/asn1/encode.ts";
import { OIDS } from "../x509/asn1/object-identifiers.ts";
import { extendedKeyUsage, subjectAltNames } from "../x509/extensions.ts";
import { generateKeyPair } from "../x509/key-pair.ts";
import { clientContext, connectOptions, secureContextOptions, serverOptions } from "./tls-contexts.ts";

type Presented = Pick<Credentials, "key" | "chain">;

const authority = testAuthority();
const other = testAuthority();
const foreign = testAuthority("other.example");
const client = authority.credentials("shop/web");
const serverId = authority.id("shop/server");

let server: TestServer;

beforeAll(async () => {
  server = await startServer(
    serverOptions(authority.credentials("shop/server"), authority.bundle),
    authority.trustDomain,
  );
});

afterAll(() => server.close());

/** How the server judges a client that looks at nothing itself. */
const judged = async (options: ConnectionOptions) => {
  const dialled = dial(server.port, options, { early: "request" });
  const verdict = await server.nextVerdict();
  return { verdict, received: (await dialled).received };
};

test("both sides learn who the other is, and until when", async () => {
  const outcome = dial(server.port, connectOptions(clientContext(client, authority.bundle), serverId), {
    expected: serverId,
  });
  expect(await server.nextVerdict()).toEqual({ ok: true, value: { id: client.id, notAfter: client.notAfter } });
  expect(await outcome).toMatchObject({ connected: true, refusal: undefined, received: ANSWER });
});

test("T-01 a client without a certificate is refused before a byte is served", async () => {
  const { verdict, received } = await judged({ ALPNProtocols: ["h2"], rejectUnauthorized: false });
  expect(verdict).toMatchObject({ ok: false, error: { reason: "no-certificate" } });
  expect(received).toBe("");
});

const keys = generateKeyPair();
const selfSigned = hostileCertificate({ subject: Buffer.from("3000", "hex"), key: keys.privateKey }, keys);

test.each<[string, Presented, string]>([
  ["T-01 signed by itself", { key: keys.privateKey, chain: [selfSigned] }, "untrusted-issuer"],
  ["T-01 of another CA", other.credentials("shop/web"), "untrusted-issuer"],
  ["T-01 without its issuing CA", { ...client, chain: client.chain.slice(0, 1) }, "untrusted-issuer"],
  ["T-02 of a root itself", { key: authority.root.key, chain: [authority.root.certificate] }, "ca-certificate"],
  [
    "T-02 of the issuing CA itself",
    { key: authority.issuing.key, chain: [authority.issuing.certificate] },
    "ca-certificate",
  ],
  ["T-05 of another trust domain", foreign.credentials("shop/web"), "foreign-trust-domain"],
  ["T-07 under a CA below the issuing CA", tooDeep(), "invalid-chain"],
])("a client's certificate is refused before a byte is served: %s", async (_, presented, reason) => {
  const { verdict, received } = await judged(carelessClient(presented));
  expect(verdict).toMatchObject({ ok: false, error: { reason } });
  expect(received).toBe("");
});

test.each(wrongLeaves)("a client's leaf is refused before a byte is served: %s", async (_, changes, reason) => {
  const { verdict, received } = await judged(carelessClient(leafUnder(authority, changes)));
  expect(verdict).toMatchObject({ ok: false, error: { reason } });
  expect(received).toBe("");
});

test.each(wrongIntermediates)("a client's CA is refused before a byte is served: %s", async (_, changes) => {
  const { verdict, received } = await judged(carelessClient(leafUnderIntermediate(authority, changes)));
  expect(verdict.ok).toBe(false);
  expect(received).toBe("");
});

test("no wrong leaf under a wrong CA gets in because the second error hides the first", async () => {
  for (const [, leafChanges] of wrongLeaves) {
    for (const [, caChanges] of wrongIntermediates) {
      const { verdict } = await judged(carelessClient(leafUnderIntermediate(authority, caChanges, leafChanges)));
      expect(verdict.ok).toBe(false);
    }
  }
});

test("T-01 a leaf without any extended key usage is as good as one with both", async () => {
  const presented = leafUnder(authority, { extensions: leafExtensions([], [OIDS.extendedKeyUsage]) });
  expect((await judged(carelessClient(presented))).verdict.ok).toBe(true);
});

test.each([
  ["RSA of 1024 bits", () => generateKeyPairSync("rsa", { modulusLength: 1024 })],
  ["P-192", () => generateKeyPairSync("ec", { namedCurve: "P-192" })],
])("T-07 a client's key that is too short is refused: %s", async (_, generate) => {
  const { publicKey, privateKey } = generate();
  const { chain } = leafUnder(authority, { publicKey });
  const { verdict } = await judged(carelessClient({ key: privateKey, chain }));
  expect(verdict).toMatchObject({ ok: false });
});

test.each([
  ["a chain of 100 certificates", hundred()],
  ["a certificate of 1 MB", leafUnder(authority, { extensions: [...leafExtensions(), octets(2 ** 20)] })],
  ["a certificate of 50 KB", leafUnder(authority, { extensions: [...leafExtensions(), octets(50_000)] })],
])("T-07 %s is refused, and soon", async (_, presented) => {
  const started = performance.now();
  const { verdict } = await judged(carelessClient(presented));
  expect(verdict.ok).toBe(false);
  expect(performance.now() - started).toBeLessThan(2000);
});

/** A server that presents anything, and how a proper client of `shop/server` takes it. */
const dialledTo = async (presented: Presented, options: ConnectionOptions = {}) => {
  const hostile = await startServer(
    {
      ...secureContextOptions({ ...client, ...presented }, authority.bundle),
      ALPNProtocols: ["h2"],
      requestCert: true,
      rejectUnauthorized: false,
      ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
    },
    authority.trustDomain,
    () => ({ ok: true, value: { id: client.id, notAfter: 0 } }),
  );
  const context = clientContext(client, authority.bundle);
  const outcome = await dial(hostile.port, connectOptions(context, serverId), { early: "secret", expected: serverId });
  await hostile.close();
  return { ...outcome, serverReceived: hostile.received.join("") };
};

test.each<[string, () => Presented, string]>([
  ["T-19 another identity", () => authority.credentials("shop/other"), "unexpected-identity"],
  ["T-19 the same name in another namespace", () => authority.credentials("bank/server"), "unexpected-identity"],
  [
    "T-20 a DNS name that is the address it was dialled at",
    () => authority.credentials("shop/other", { dnsNames: ["localhost", "127.0.0.1", "server.shop.svc"] }),
    "unexpected-identity",
  ],
  ["T-20 DNS names and no URI", () => leafUnder(authority, { extensions: onlyDns() }), "no-uri-san"],
  ["T-01 only clientAuth", () => serverLeaf([extendedKeyUsage(OIDS.clientAuth)]), "wrong-purpose"],
  [
    "T-01 expired",
    () => authority.credentials("shop/server", { at: Date.now() - 9e6, lifetimeMs: 6e6 }),
    "certificate-expired",
  ],
  ["T-01 of another CA", () => other.credentials("shop/server"), "untrusted-issuer"],
  ["T-05 the same path in another trust domain", () => foreign.credentials("shop/server"), "untrusted-issuer"],
  [
    "T-21 a DNS name with the expected URI after a comma",
    () => leafUnder(authority, { extensions: commaDns() }),
    "no-uri-san",
  ],
])("a server is refused and no byte of the request is sent: %s", async (_, presented, reason) => {
  const outcome = await dialledTo(presented());
  expect(outcome.refusal).toMatchObject({ reason });
  expect(outcome).toMatchObject({ received: "", serverReceived: "" });
});

test("T-20 the same server is taken for who it is", async () => {
  const outcome = await dialledTo(authority.credentials("shop/server", { dnsNames: ["other.shop.svc"] }));
  expect(outcome).toMatchObject({ refusal: undefined, received: ANSWER });
});

test("T-20 Node's own check would take a DNS name for an identity, so ours must be in its place", () => {
  const options = connectOptions(clientContext(client, authority.bundle), serverId);
  const [leaf = new Uint8Array()] = authority.credentials("shop/other", { dnsNames: ["server.shop.svc"] }).chain;
  const names = { subject: {}, subjectaltname: "DNS:server.shop.svc", raw: Buffer.from(leaf) } as never;
  expect(checkServerIdentity("server.shop.svc", names)).toBeUndefined();
  expect(options.checkServerIdentity?.("server.shop.svc", names)).toMatchObject({
    refusal: { reason: "unexpected-identity" },
  });
  expect(options.rejectUnauthorized).toBe(true);
});

test("T-05 an identity is never verified with the bundle of another trust domain", () => {
  const context = clientContext(client, foreign.bundle);
  expect(() => connectOptions(context, serverId)).toThrow("cannot be verified with the bundle of other.example");
});

test("T-14 a server that speaks no ALPN is refused by the client", async () => {
  const plain = createServer(secureContextOptions(authority.credentials("shop/server"), authority.bundle));
  const silent = await startServerOf(plain);
  const context = clientContext(client, authority.bundle);
  const outcome = await dial(silent.port, connectOptions(context, serverId), { expected: serverId });
  await silent.close();
  expect(outcome.refusal).toMatchObject({ reason: "no-alpn" });
});

async function startServerOf(plain: ReturnType<typeof createServer>) {
  await new Promise<void>((resolve) => {
    plain.listen(0, "127.0.0.1", resolve);
  });
  plain.on("secureConnection", (socket: TLSSocket) => socket.on("error", () => {}));
  const address = plain.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    close: () => new Promise((resolve) => plain.close(resolve)),
  };
}

function tooDeep(): Presented {
  const { key, chain } = chainOf(signerOf(authority.issuing), [{ extensions: authorityExtensions(0) }]);
  return { key, chain: [...chain, authority.issuing.certificate] };
}

function hundred(): Presented {
  return chainOf(
    signerOf(authority.root),
    Array.from({ length: 99 }, () => ({})),
  );
}

function octets(size: number) {
  return anyExtension("1.2.3.4", false, encode.octetString(Buffer.alloc(size)));
}

function onlyDns() {
  return leafExtensions([subjectAltNames([{ kind: "dns", value: "localhost" }], true)]);
}

function commaDns() {
  return leafExtensions([subjectAltNames([{ kind: "dns", value: `x, URI:${serverId}` }], true)]);
}

function serverLeaf(extensions: Parameters<typeof leafExtensions>[0] = []): Presented {
  const uri = subjectAltNames([{ kind: "uri", value: serverId }], true);
  return leafUnder(authority, { extensions: leafExtensions([uri, ...extensions]) });
}
