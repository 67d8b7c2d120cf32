import type { CompiledPath } from "../compiled-match.ts";
import { hasPrefix, replacePrefix } from "../path-prefix.ts";
import { splitTarget } from "../request-facts.ts";
import type { PathModifier } from "../route.ts";

/**
 * A request target with another path and the same query.
 * @param matched what the request's path matched, which says what the prefix is
 */
export const modifyPath = (modifier: PathModifier | undefined, target: string, matched: CompiledPath): string => {
  if (!modifier) return target;
  const { path, query } = splitTarget(target);
  if (modifier.kind === "full") return absolute(modifier.value) + query;
  // A filter before this one may have put another path there.
  if (matched.kind !== "prefix" || !hasPrefix(path, matched.prefix)) return target;
  return replacePrefix(path, matched.prefix, modifier.value) + query;
};

const absolute = (path: string): string => (path.startsWith("/") ? path : `/${path}`);
