/** The part of node-forge that is used. Its whole would cost each process 8 MiB and 40 ms at start. */
declare module "node-forge/lib/asn1.js" {
  /** Bytes are strings of one character a byte. */
  export interface Asn1 {
    readonly tagClass: number;
    readonly type: number;
    readonly constructed: boolean;
    readonly value: string | readonly Asn1[];
  }

  interface ParseOptions {
    /** False would accept truncated values. */
    readonly strict: boolean;
    /** False would accept bytes after the value. */
    readonly parseAllBytes: boolean;
    /** True would guess whether a BIT STRING holds another value. */
    readonly decodeBitStrings: boolean;
    readonly maxDepth: number;
  }

  const asn1: {
    create(tagClass: number, type: number, constructed: boolean, value: string | readonly Asn1[]): Asn1;
    /** Accepts BER. @throws Error with what is wrong. */
    fromDer(bytes: string, options: ParseOptions): Asn1;
    toDer(value: Asn1): { getBytes(): string };
    oidToDer(dotted: string): { getBytes(): string };
    /** @throws Error if a number is too large. */
    derToOid(bytes: string): string;
  };
  export default asn1;
}
