import { generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";

import { exportPrivateKey, exportPublicKey, generateKeyPair, importPrivateKey, importPublicKey } from "./key-pair.ts";

test("a key that went through its exported form signs what its public half verifies", () => {
  const keys = generateKeyPair();
  const copy = unwrap(importPrivateKey(exportPrivateKey(keys.privateKey)));
  const signature = sign("sha256", Buffer.from("text"), copy);
  expect(verify("sha256", Buffer.from("text"), keys.publicKey, signature)).toBe(true);
  expect(exportPublicKey(copy)).toEqual(exportPublicKey(keys.publicKey));
});

test("every key pair is a new one", () => {
  const exported = Array.from({ length: 20 }, () =>
    Buffer.from(exportPublicKey(generateKeyPair().publicKey)).toString("hex"),
  );
  expect(new Set(exported).size).toBe(20);
});

const spkiOf = (publicKey: KeyObject) => publicKey.export({ format: "der", type: "spki" });

test.each([
  ["RSA of 1024 bits", () => generateKeyPairSync("rsa", { modulusLength: 1024 }), "rsa 1024"],
  ["RSA of 2048 bits", () => generateKeyPairSync("rsa", { modulusLength: 2048 }), "rsa 2048"],
  ["curve P-384", () => generateKeyPairSync("ec", { namedCurve: "P-384" }), "ec secp384r1"],
  ["curve secp256k1", () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }), "ec secp256k1"],
  ["Ed25519", () => generateKeyPairSync("ed25519"), "ed25519"],
])("T-23 a public key of another kind is named and refused: %s", (_, generate, name) => {
  const imported = importPublicKey(spkiOf(generate().publicKey));
  expect(imported).toEqual({ ok: false, error: `the public key is not ECDSA P-256 but ${name}` });
});

test("T-23 a point that is not on the curve is refused", () => {
  const spki = Buffer.from(exportPublicKey(generateKeyPair().publicKey));
  spki.writeUInt8(spki.readUInt8(spki.length - 1) ^ 1, spki.length - 1);
  expect(importPublicKey(spki).ok).toBe(false);
});
