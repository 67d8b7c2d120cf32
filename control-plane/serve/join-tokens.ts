import { errors, jwtVerify, SignJWT } from "jose";
import type { Clock } from "#mesh/clock.ts";
import { parseDnsSubdomain } from "#mesh/objects/metadata.ts";
import { err, ok, type Result } from "#mesh/result.ts";

/** Who a token is for: it proves nothing to anybody else. */
const AUDIENCE = "heddle-control-plane";
const ALGORITHM = "HS256";

/** Ours have about 200 characters; a header of many kilobytes is not worth a signature check. */
const MAX_TOKEN_LENGTH = 4096;

/** How a node proves who it is. */
export interface JoinToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A node that has proven who it is. */
export interface JoinedNode {
  readonly node: string;
  /** Milliseconds since 1970: until then the proof holds. */
  readonly expiresAt: number;
}

/** Makes and checks join tokens: JWTs (RFC 7519) under a key that only this control plane has. */
export class JoinTokens {
  readonly #key: Uint8Array;
  readonly #clock: Pick<Clock, "now">;

  /** @param key at least 32 random bytes, as HS256 requires (RFC 7518 section 3.2) */
  constructor(key: Uint8Array, clock: Pick<Clock, "now">) {
    if (key.length < 32) throw new Error(`a key of ${key.length} bytes is too short for ${ALGORITHM}`);
    this.#key = key;
    this.#clock = clock;
  }

  async issue(node: string, lifetimeMs: number): Promise<JoinToken> {
    const now = Math.floor(this.#clock.now() / 1000);
    const expires = now + Math.ceil(lifetimeMs / 1000);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: ALGORITHM, typ: "JWT" })
      .setAudience(AUDIENCE)
      .setSubject(node)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(this.#key);
    return { token, expiresAt: expires * 1000 };
  }

  /** @returns the node that the token was made for, or why it is refused: for the log, never for the caller */
  async verify(token: string): Promise<Result<JoinedNode, string>> {
    if (token.length > MAX_TOKEN_LENGTH) return err(`a token of ${token.length} characters`);
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        audience: AUDIENCE,
        requiredClaims: ["sub", "exp"],
        currentDate: new Date(this.#clock.now()),
      });
      const { sub = "", exp = 0 } = payload;
      const node = parseDnsSubdomain(sub);
      return node.ok ? ok({ node: node.value, expiresAt: exp * 1000 }) : err(`the token's subject ${node.error}`);
    } catch (error) {
      if (error instanceof errors.JOSEError) return err(`${error.code}: ${error.message}`);
      throw error;
    }
  }
}
