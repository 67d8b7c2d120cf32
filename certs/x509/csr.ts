import type { Asn1 } from "node-forge/lib/asn1.js";
import { verify } from "node:crypto";
import type { KeyObject } from "node:crypto";

import { err, ok, type Result } from "#mesh/result.ts";
import { parseSpiffeId, type SpiffeId } from "#mesh/spiffe-id.ts";

import * as decode from "./asn1/decode.ts";
import * as encode from "./asn1/encode.ts";
import { OIDS } from "./asn1/object-identifiers.ts";
import { encodeExtension, readExtensions, readSubjectAltNames, subjectAltNames } from "./extensions.ts";
import { exportPublicKey, importPublicKey, type KeyPair } from "./key-pair.ts";
import { formatPem, parseSinglePem } from "./pem.ts";
import { signed } from "./signed.ts";

/** What a certificate signing request asks for; its signature was checked, so that the asker has the key. */
export interface CertificateRequest {
  readonly id: SpiffeId;
  readonly publicKey: KeyObject;
}

/** Ours have 250 bytes; an ID may have 2048. */
const MAX_REQUEST_BYTES = 8 * 1024;

/**
 * Makes a PKCS#10 request (RFC 2986): empty subject, one extension request with a critical SAN of one URI. The form that an
 * Istio ambient node proxy sends. PEM.
 */
export const createCsr = (keys: KeyPair, id: SpiffeId): string => {
  const names = encodeExtension(subjectAltNames([{ kind: "uri", value: id }], true));
  const attribute = encode.sequence(encode.oid(OIDS.extensionRequest), encode.set(encode.sequence(names)));
  const body = encode.sequence(
    encode.smallInteger(0),
    encode.sequence(),
    encode.embedded(exportPublicKey(keys.publicKey)),
    encode.contextConstructed(0, attribute),
  );
  return formatPem("CERTIFICATE REQUEST", signed(body, keys.privateKey));
};

/**
 * Reads a PKCS#10 request and refuses everything that {@link createCsr} would not have written: another name, a subject,
 * other extensions or attributes, a key that is not ECDSA P-256, a signature that is not the key's. Whether the asker may
 * have the identity is for the caller to judge.
 */
export const parseCsr = (pem: string): Result<CertificateRequest, string> => {
  const der = parseSinglePem("CERTIFICATE REQUEST", pem);
  if (!der.ok) return der;
  const request = decode.decoding(() => readRequest(decode.decodeDer(der.value, MAX_REQUEST_BYTES, "request")));
  if (!request.ok) return request;
  const { uri, publicKey, body, signature } = request.value;
  const id = parseSpiffeId(uri);
  if (!id.ok) return id;
  const key = importPublicKey(publicKey);
  if (!key.ok) return key;
  return verify("sha256", body, { key: key.value, dsaEncoding: "der" }, signature)
    ? ok({ id: id.value, publicKey: key.value })
    : err("the request's signature is not by its own key");
};

interface RequestParts {
  readonly uri: string;
  readonly publicKey: Uint8Array;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** `CertificationRequest ::= SEQUENCE { certificationRequestInfo, signatureAlgorithm, signature BIT STRING }` */
const readRequest = (request: Asn1): RequestParts => {
  const [body, algorithm, signature, ...rest] = decode.sequenceItems(request, "request");
  if (!body || rest.length > 0) return decode.malformed("request has the wrong number of fields");
  const [algorithmId, ...parameters] = decode.sequenceItems(algorithm, "signatureAlgorithm");
  if (decode.oidOf(algorithmId, "signatureAlgorithm") !== OIDS.ecdsaWithSha256 || parameters.length > 0) {
    return decode.malformed("the request is not signed with ECDSA and SHA-256");
  }
  return {
    ...readInfo(decode.sequenceItems(body, "certificationRequestInfo")),
    body: decode.bytesOf(body),
    signature: decode.bitsOf(signature, "signature").bytes,
  };
};

/** `CertificationRequestInfo ::= SEQUENCE { version, subject, subjectPKInfo, attributes [0] }` */
const readInfo = (fields: readonly Asn1[]): Pick<RequestParts, "uri" | "publicKey"> => {
  const [version, subject, publicKey, attributes, ...rest] = fields;
  if (!publicKey || rest.length > 0) return decode.malformed("request has the wrong number of fields");
  if (decode.smallIntegerOf(version, "version") !== 0) return decode.malformed("request is not of version 0");
  if (decode.sequenceItems(subject, "subject").length > 0) {
    return decode.malformed("request has a subject; the identity is the one URI in its SAN");
  }
  const attribute = decode.only(decode.contextItems(attributes, 0, "attributes"), "attributes");
  return { uri: readRequestedUri(attribute), publicKey: decode.bytesOf(publicKey) };
};

/** `Attribute ::= SEQUENCE { type OID, values SET }`, where the one value is a list of extensions (RFC 2985 section 5.4.2). */
const readRequestedUri = (attribute: Asn1): string => {
  const [type, values] = decode.sequenceItems(attribute, "attribute");
  if (decode.oidOf(type, "attribute") !== OIDS.extensionRequest) {
    return decode.malformed("request has an attribute that is no extension request");
  }
  const extensions = readExtensions(decode.only(decode.setItems(values, "extension request"), "extension request"));
  const names = extensions.get(OIDS.subjectAltName);
  if (!names || extensions.size !== 1) return decode.malformed("request asks for extensions other than one SAN");
  const [name, ...others] = readSubjectAltNames(names.value);
  return name?.kind === "uri" && others.length === 0
    ? name.value
    : decode.malformed("request asks for names other than one URI");
};
