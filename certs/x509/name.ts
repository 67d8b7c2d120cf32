import * as encode from "./asn1/encode.ts";
import { type Oid, OIDS } from "./asn1/object-identifiers.ts";

/** The name of somebody whose identity stands elsewhere. DER. */
export const EMPTY_NAME: Uint8Array = encode.encodeDer(encode.sequence());

/** `O=<organization>, CN=<common name>` (RFC 5280 section 4.1.2.4). DER. */
export const authorityName = (organization: string, commonName: string): Uint8Array =>
  encode.encodeDer(encode.sequence(attribute(OIDS.organization, organization), attribute(OIDS.commonName, commonName)));

const attribute = (type: Oid, value: string) => encode.set(encode.sequence(encode.oid(type), encode.utf8String(value)));
