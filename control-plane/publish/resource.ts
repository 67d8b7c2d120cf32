import { hash } from "node:crypto";

/** One thing that nodes are told, ready to be sent. */
export interface Resource {
  readonly name: string;
  /** Depends on nothing but the content: the same after a restart, so that clients need not be told again. */
  readonly version: string;
  /** Other names by which it can be asked for. */
  readonly aliases: readonly string[];
  /** Protobuf of the type it is published under. */
  readonly body: Uint8Array;
}

/** 64 bits: two contents of one name will not meet in them. */
const VERSION_HEX_DIGITS = 16;

export const resourceOf = (name: string, aliases: readonly string[], body: Uint8Array): Resource => ({
  name,
  version: hash("sha256", body, "hex").slice(0, VERSION_HEX_DIGITS),
  aliases,
  body,
});
