import type { Asn1 } from "node-forge/lib/asn1.js";
import { type KeyObject, sign } from "node:crypto";

import * as encode from "../x509/asn1/encode.ts";
import { OIDS } from "../x509/asn1/object-identifiers.ts";
import { encodeExtension, type Extension } from "../x509/extensions.ts";
import { generateKeyPair, type KeyPair } from "../x509/key-pair.ts";
import { formatPem } from "../x509/pem.ts";
import { WEB, uris } from "./hostile-certificate.ts";
import { algorithmOf } from "./signature-algorithm.ts";

/** Every part of a certificate signing request, to be replaced by something that no node would send. */
export interface RequestParts {
  readonly keys: KeyPair;
  /** Signs instead of the request's own key. */
  readonly signer: KeyObject;
  readonly hash: "sha1" | "sha256" | "sha384";
  /** Of the signature, instead of what it is. */
  readonly algorithm: Asn1;
  readonly version: Asn1;
  readonly subject: Asn1;
  readonly extensions: readonly Extension[];
  /** Instead of one extension request with `extensions`. */
  readonly attributes: readonly Asn1[];
  /** After the attributes. */
  readonly moreFields: readonly Asn1[];
  /** Inverts the last bit of the signature. */
  readonly damaged: boolean;
}

/** A request that differs from a proper one for `shop/web` in what is given. PEM. */
export const hostileRequest = (changes: Partial<RequestParts> = {}): string => {
  const keys = changes.keys ?? generateKeyPair();
  const { extensions = [uris(WEB)], signer = keys.privateKey, hash = "sha256" } = changes;
  const body = encode.sequence(
    changes.version ?? encode.smallInteger(0),
    changes.subject ?? encode.sequence(),
    encode.embedded(keys.publicKey.export({ format: "der", type: "spki" })),
    encode.contextConstructed(0, ...(changes.attributes ?? [extensionRequest(extensions)])),
    ...(changes.moreFields ?? []),
  );
  const signature = sign(hash, encode.encodeDer(body), { key: signer, dsaEncoding: "der" });
  if (changes.damaged) signature.writeUInt8(signature.readUInt8(signature.length - 1) ^ 1, signature.length - 1);
  const request = encode.sequence(body, changes.algorithm ?? algorithmOf(signer, hash), encode.bitString(signature));
  return formatPem("CERTIFICATE REQUEST", encode.encodeDer(request));
};

/** The attribute that asks for extensions, one list of them for each argument. */
export const extensionRequest = (...lists: readonly (readonly Extension[])[]): Asn1 =>
  encode.sequence(
    encode.oid(OIDS.extensionRequest),
    encode.set(...lists.map((list) => encode.sequence(...list.map(encodeExtension)))),
  );
