import { hash } from "node:crypto";
import { type Field, isNamed, newField } from "#mesh/routes/field.ts";
import type { SessionPersistence } from "#mesh/routes/route.ts";

/**
 * What keeps requests of a session at one endpoint (GEP-1619): a token that the client brings back, in base64url:
 *
 *   u8 version | 12 bytes of SHA-256 over the scope and the endpoint | u48 Unix second at which it ends, 0: never
 *
 * It names an endpoint to who knows the endpoints, and shows nothing of it to others. It is no proof of anything: a client that
 * makes one up chooses among the endpoints that it could have been given anyway, and one that nobody can read is as none.
 */
export interface SessionToken {
  /** As {@link endpointMark} gives it. */
  readonly mark: string;
  /** Unix time; Infinity: never. */
  readonly endsMs: number;
}

/** Whose sessions they are: those of two rules are not shared, even where they lead to one Service. */
export type SessionScope = string;

/** The scope of a rule of a route. */
export const ruleScope = (
  route: { readonly namespace: string; readonly name: string },
  ruleIndex: number,
): SessionScope => `rule ${route.namespace}/${route.name} ${ruleIndex}`;

/** The scope of what a policy says of a whole Service. */
export const serviceScope = (service: string): SessionScope => `service ${service}`;

const VERSION = 1;
const MARK_BYTES = 12;
const TOKEN_BYTES = 1 + MARK_BYTES + 6;
const TOKEN_CHARACTERS = Math.ceil((TOKEN_BYTES * 8) / 6);
/** More cookies of one name are not looked at: one is what a client was given. */
const MAX_COOKIES = 8;

/** What stands for an endpoint within a scope: base64url. @param uid of the workload */
export const endpointMark = (scope: SessionScope, uid: string): string =>
  hash("sha256", `${scope}\n${uid}`, "buffer").toString("base64url", 0, MARK_BYTES);

export const formatToken = ({ mark, endsMs }: SessionToken): string => {
  const bytes = Buffer.alloc(TOKEN_BYTES);
  bytes[0] = VERSION;
  bytes.write(mark, 1, MARK_BYTES, "base64url");
  bytes.writeUIntBE(Number.isFinite(endsMs) ? Math.ceil(endsMs / 1_000) : 0, 1 + MARK_BYTES, 6);
  return bytes.toString("base64url");
};

/** @returns undefined for anything that {@link formatToken} would not write */
export const parseToken = (text: string): SessionToken | undefined => {
  if (text.length !== TOKEN_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes[0] !== VERSION || bytes.toString("base64url") !== text) return undefined;
  const endsSeconds = bytes.readUIntBE(1 + MARK_BYTES, 6);
  return {
    mark: bytes.toString("base64url", 1, 1 + MARK_BYTES),
    endsMs: endsSeconds === 0 ? Infinity : endsSeconds * 1_000,
  };
};

/** The session that a request belongs to; undefined: none, or one that is over or cannot be read. @param now Unix time */
export const sessionOf = (
  session: SessionPersistence,
  scope: SessionScope,
  fields: readonly Field[],
  now: number,
): SessionToken | undefined => {
  for (const text of tokenTexts(session, scope, fields)) {
    const token = parseToken(text);
    if (token && isWithin(token, session, now)) return token;
  }
  return undefined;
};

/** A token that ends later than one that is made now would be was made up, or under another timeout. */
const isWithin = ({ endsMs }: SessionToken, session: SessionPersistence, now: number): boolean =>
  endsMs > now && endsMs <= sessionEnd(session, now) + 1_000;

/** When a session that begins now ends; Infinity: never. */
const sessionEnd = ({ absoluteTimeoutMs }: SessionPersistence, now: number): number =>
  absoluteTimeoutMs === undefined || absoluteTimeoutMs === 0 ? Infinity : now + absoluteTimeoutMs;

/**
 * The field of a response with which a session begins: for requests that had none, and where their endpoint is gone.
 * @param uid of the workload that serves it
 * @param now Unix time
 */
export const sessionField = (session: SessionPersistence, scope: SessionScope, uid: string, now: number): Field => {
  const endsMs = sessionEnd(session, now);
  const token = formatToken({ mark: endpointMark(scope, uid), endsMs });
  if (session.kind === "header") return newField(session.name, token);
  // Not Secure: within the mesh clients speak http, and would not send it back.
  const maxAge = session.isPermanent && Number.isFinite(endsMs) ? `; Max-Age=${Math.ceil((endsMs - now) / 1_000)}` : "";
  const attributes = `; Path=${session.path}${maxAge}; HttpOnly; SameSite=Strict`;
  return newField("set-cookie", `${cookieName(session.name, scope)}=${token}${attributes}`);
};

/** One of its own for each scope where none is asked for, so that several backends of a page do not overwrite each other's. */
const cookieName = (name: string | undefined, scope: SessionScope): string =>
  name ?? `heddle-session-${hash("sha256", scope, "hex").slice(0, 8)}`;

const tokenTexts = (session: SessionPersistence, scope: SessionScope, fields: readonly Field[]): readonly string[] => {
  if (session.kind === "header") {
    const field = fields.find((each) => isNamed(each, session.name));
    return field ? [field.value] : [];
  }
  const start = `${cookieName(session.name, scope)}=`;
  return fields
    .filter((field) => isNamed(field, "cookie"))
    .flatMap(({ value }) => value.split(";"))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(start))
    .slice(0, MAX_COOKIES)
    .map((pair) => pair.slice(start.length));
};
