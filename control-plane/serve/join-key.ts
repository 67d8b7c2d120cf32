import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "#certs/issue/atomic-file.ts";
import { err, ok, type Result } from "#mesh/result.ts";

/** HS256 wants at least as many bits as its hash has (RFC 7518 section 3.2). */
const KEY_BYTES = 32;

/**
 * The key of the join tokens, kept as a file of mode 0600 and made on the first start, so that nodes keep their tokens over a
 * restart. A damaged one is an error: a new key would turn every node away.
 */
export const loadJoinKey = (directory: string, random: (size: number) => Uint8Array): Result<Uint8Array, string> => {
  const path = join(directory, "join-token.key");
  try {
    const key = readFileSync(path);
    chmodSync(path, 0o600);
    return key.length === KEY_BYTES
      ? ok(Uint8Array.from(key))
      : err(
          `${path} has ${key.length} bytes instead of ${KEY_BYTES}: restore it, or remove it and give nodes new tokens`,
        );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return err(`cannot read ${path}: ${String(error)}`);
  }
  return makeKey(directory, path, random);
};

const makeKey = (directory: string, path: string, random: (size: number) => Uint8Array): Result<Uint8Array, string> => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const key = random(KEY_BYTES);
  const written = writeFileAtomically(path, key, 0o600);
  return written.ok ? ok(key) : written;
};
