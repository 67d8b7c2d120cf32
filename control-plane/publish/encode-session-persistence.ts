import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SessionPersistenceSchema } from "#api/gen/heddle/routes/v1alpha1/session_persistence_pb.js";
import type { SessionPersistence } from "#mesh/routes/route.ts";
import { optionalInteger } from "./optional-integer.ts";

export const encodeSessionPersistence = (
  session: SessionPersistence,
): MessageInitShape<typeof SessionPersistenceSchema> => {
  const { kind, name } = session;
  return {
    absoluteTimeoutMs: optionalInteger(session.absoluteTimeoutMs),
    token:
      kind === "header"
        ? { case: kind, value: { name } }
        : { case: kind, value: { name, path: session.path, isPermanent: session.isPermanent } },
  };
};
