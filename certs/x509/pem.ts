import { err, ok, type Result } from "#mesh/result.ts";

/** What a block of PEM text holds (RFC 7468). */
export type PemLabel = "CERTIFICATE" | "CERTIFICATE REQUEST" | "PRIVATE KEY";

/** More than any text that is read here has: a bundle of 50 roots, or 16 KiB of request in base64. */
const MAX_PEM_CHARACTERS = 128 * 1024;

/** One block of PEM text, with a line end after it. */
export const formatPem = (label: PemLabel, der: Uint8Array): string => {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
};

/** Certificates one after the other, as OpenSSL and `node:tls` read them. */
export const formatCertificates = (certificates: readonly Uint8Array[]): string =>
  certificates.map((der) => formatPem("CERTIFICATE", der)).join("");

/** The bytes of every block. Text between blocks is a comment; a block of another kind is refused. Never empty. */
export const parsePem = (label: PemLabel, text: string): Result<readonly Uint8Array[], string> => {
  if (text.length > MAX_PEM_CHARACTERS) {
    return err(`PEM text of ${text.length} characters is longer than ${MAX_PEM_CHARACTERS}`);
  }
  const blocks: Uint8Array[] = [];
  for (const [, begin, body = "", end] of text.matchAll(/-----BEGIN ([^-]*)-----([^-]*)-----END ([^-]*)-----/g)) {
    if (begin !== label || end !== label) return err(`PEM block ${JSON.stringify(begin)} where ${label} is expected`);
    const bytes = parseBase64(body.replaceAll(/[\r\n\t ]+/g, ""));
    if (!bytes) return err(`the base64 of a ${label} is damaged`);
    blocks.push(bytes);
  }
  return blocks.length > 0 ? ok(blocks) : err(`no PEM block ${label} found`);
};

/** As {@link parsePem}, for text that must hold one block. */
export const parseSinglePem = (label: PemLabel, text: string): Result<Uint8Array, string> => {
  const blocks = parsePem(label, text);
  if (!blocks.ok) return blocks;
  const [block] = blocks.value;
  return block && blocks.value.length === 1 ? ok(block) : err(`${blocks.value.length} blocks ${label}, not one`);
};

/** `Buffer.from` would skip what it does not know. */
const parseBase64 = (text: string): Uint8Array | undefined => {
  const bytes = Buffer.from(text, "base64");
  return bytes.length > 0 && bytes.toString("base64") === text ? bytes : undefined;
};
