import { hash } from "node:crypto";
import type { Resource } from "./resource.ts";

/**
 * The version of a set of resources: the marks of all of them, joined by XOR. The same set has the same version in whatever
 * order it came about, and a resource is added and removed alike. It tells states apart; it does not withstand somebody who
 * looks for collisions.
 */
export type SetVersion = bigint;

export const EMPTY_SET: SetVersion = 0n;

/** What one resource adds to the version of a set. */
export const markOf = (type: string, { name, version }: Resource): SetVersion =>
  BigInt(`0x${hash("sha256", `${type} ${name} ${version}`).slice(0, 16)}`);

/** 16 hex digits. */
export const formatSetVersion = (version: SetVersion): string => version.toString(16).padStart(16, "0");
