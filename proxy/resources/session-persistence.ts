import type { SessionPersistence as ProtoSessionPersistence } from "#api/gen/heddle/routes/v1alpha1/session_persistence_pb.js";
import { assertNever } from "#mesh/assert-never.ts";
import type { SessionPersistence } from "#mesh/routes/route.ts";
import { headerName, line, optionalNumber } from "./field-checks.ts";

/** @param problems takes what is wrong with it; what is returned then is not to be used */
export const decodeSessionPersistence = (
  { absoluteTimeoutMs: timeout, token }: ProtoSessionPersistence,
  problems: string[],
): SessionPersistence | undefined => {
  const absoluteTimeoutMs = optionalNumber(timeout, problems);
  switch (token.case) {
    case "cookie": {
      const { name, path, isPermanent } = token.value;
      if (name !== undefined && !/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/.test(name))
        problems.push("a cookie's name is no token");
      if (!/^\/[^;\s]*$/.test(line(path, problems))) problems.push("a cookie's path has ; or spaces, or no / in front");
      return { kind: "cookie", absoluteTimeoutMs, name, path, isPermanent };
    }
    case "header":
      return { kind: "header", absoluteTimeoutMs, name: headerName(token.value.name, problems) };
    case undefined:
      problems.push("a session persistence of unknown kind");
      return undefined;
    default:
      return assertNever(token);
  }
};
