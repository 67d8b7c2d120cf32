/**
 * A header or trailer field. Name and value are latin1: each character is one byte as it stood on the wire, in its case, and
 * nothing is ever decoded as UTF-8 or normalised. Fields are shared between messages; nobody changes one.
 */
export interface Field {
  readonly name: string;
  readonly value: string;
  /** The sender asked that nobody on the way puts it into a compression table (RFC 7541 section 7.1.3). HTTP/1 has no such mark. */
  readonly isNeverIndexed: boolean;
}
