/**
 * A prefix of whole path elements, without the slash at its end: "" stands for `/`, and `/abc` holds `/abc`, `/abc/` and
 * `/abc/d`, not `/abcd` (Gateway API, PathPrefix).
 */
export const normalPrefix = (prefix: string): string => (prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);

/** @param prefix as of {@link normalPrefix} */
export const hasPrefix = (path: string, prefix: string): boolean =>
  endsElement(path, prefix.length) && path.startsWith(prefix);

/** Whether an element of the path ends before this position. */
export const endsElement = (path: string, position: number): boolean =>
  path.length === position ? position > 0 : path[position] === "/";

/**
 * A path with its prefix replaced: `/foo` by `/xyz` or `/xyz/` makes `/xyz/bar` of `/foo/bar`, `/xyz` of `/foo`, `/xyz/` of
 * `/foo/`. What would be left empty is `/`.
 * @param prefix as of {@link normalPrefix}; the path has it
 */
export const replacePrefix = (path: string, prefix: string, replacement: string): string => {
  const replaced = normalPrefix(replacement) + path.slice(prefix.length);
  return replaced.startsWith("/") ? replaced : `/${replaced}`;
};
