import { err, ok } from "../result.ts";
import type { SessionPersistence } from "../routes/route.ts";
import { optional, parsed, type Problem, type Reader, required, strictObject } from "./reader.ts";
import { boundedText, duration, headerName, knownWord } from "./route-text.ts";

/** A token: what a cookie's name may be (RFC 6265 section 4.1.1). */
const cookieName: Reader<string> = parsed((name) =>
  /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,128}$/.test(name)
    ? ok(name)
    : err(`${JSON.stringify(name.slice(0, 40))} is not a cookie's name`),
);

/** What would end an attribute of Set-Cookie is no part of a path. */
const cookiePath: Reader<string> = (value, path, problems) => {
  const read = boundedText(1, 1_024)(value, path, problems);
  if (typeof read === "string" && !/^\/[^;\s]*$/.test(read)) {
    problems.push({ path, message: "must start with / and have neither ; nor spaces" });
  }
  return read;
};

const LIFETIMES = ["Session", "Permanent"] as const;

/**
 * Reads `sessionPersistence` in both of its forms: that of v1.6.1 (sessionName, cookieConfig) and the later one (cookie, header).
 * @param unsupported takes what is in order and not known here
 */
export const sessionPersistence =
  (unsupported: Problem[]): Reader<SessionPersistence> =>
  (value, path, problems) => {
    const lifetimeType = optional(knownWord(unsupported, ...LIFETIMES), "Session");
    const read = strictObject({
      type: optional(knownWord(unsupported, "Cookie", "Header"), "Cookie"),
      absoluteTimeout: optional(duration),
      sessionName: optional(cookieName),
      cookieConfig: optional(strictObject({ lifetimeType })),
      cookie: optional(strictObject({ name: optional(cookieName), path: optional(cookiePath, "/"), lifetimeType })),
      header: optional(strictObject({ name: required(headerName) })),
    })(value, path, problems);
    const isHeader = read.type === "Header";
    const strangers = isHeader ? (["cookie", "cookieConfig"] as const) : (["header"] as const);
    for (const member of strangers) {
      if (read[member]) problems.push({ path: `${path}.${member}`, message: `does not belong to ${read.type}` });
    }
    if ((read.cookie ?? read.header) && (read.sessionName ?? read.cookieConfig)) {
      problems.push({ path, message: "must not mix sessionName and cookieConfig with cookie and header" });
    }
    const absoluteTimeoutMs = read.absoluteTimeout;
    if (isHeader) {
      const name = read.header?.name ?? read.sessionName?.toLowerCase();
      if (name === undefined) problems.push({ path: `${path}.header`, message: "is required by Header" });
      return { absoluteTimeoutMs, kind: "header", name: name ?? "" };
    }
    const lifetime = (read.cookie ?? read.cookieConfig)?.lifetimeType ?? "Session";
    if (lifetime === "Permanent" && absoluteTimeoutMs === undefined) {
      problems.push({ path: `${path}.absoluteTimeout`, message: "is required by a Permanent cookie" });
    }
    return {
      absoluteTimeoutMs,
      kind: "cookie",
      name: read.cookie?.name ?? read.sessionName,
      path: read.cookie?.path ?? "/",
      isPermanent: lifetime === "Permanent",
    };
  };
