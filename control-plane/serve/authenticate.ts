import type { Metadata } from "@grpc/grpc-js";
import { err, type Result } from "#mesh/result.ts";
import type { JoinedNode, JoinTokens } from "./join-tokens.ts";

/** Who calls, from what a call carries; or why nobody knows, for the log. */
export type Authenticate = (metadata: Metadata) => Promise<Result<JoinedNode, string>>;

/** All that a caller who did not prove who it is gets to know. */
export const NOT_AUTHENTICATED =
  "not authenticated: send a valid join token as `authorization: Bearer`, and `clusterid`";

/** Checks the two headers that every call carries: the join token, and the cluster that the caller thinks it is in. */
export const authenticateWith =
  (tokens: JoinTokens, cluster: string): Authenticate =>
  async (metadata) => {
    const clusters = metadata.get("clusterid").map(String);
    if (clusters.length !== 1 || clusters[0] !== cluster) {
      return err(`clusterid is ${JSON.stringify(clusters.join().slice(0, 64))} and not ${cluster}`);
    }
    const headers = metadata.get("authorization").map(String);
    const [, token] = /^Bearer ([^ ]+)$/i.exec(headers[0] ?? "") ?? [];
    return token === undefined || headers.length !== 1
      ? err("there is not one authorization header with a bearer token")
      : tokens.verify(token);
  };
