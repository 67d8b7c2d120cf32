import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type ParsedNode, type YAMLMap } from "yaml";
import type { Problem } from "#mesh/objects/reader.ts";

/**
 * What YAML allows and an object must not have: a key twice in one map, the key `__proto__`, an anchor inside itself, a byte
 * order mark as text, nesting without end.
 */
export const checkNodes = (document: Document.Parsed, maxNesting: number): readonly Problem[] => {
  const check: Check = { document, maxNesting, problems: [], above: [] };
  checkNode(check, document.contents, "");
  return check.problems;
};

interface Check {
  readonly document: Document.Parsed;
  readonly maxNesting: number;
  readonly problems: Problem[];
  /** The nodes that the present one is in. */
  readonly above: unknown[];
}

const checkNode = (check: Check, node: ParsedNode | null, path: string): void => {
  if (isAlias(node)) checkAlias(check, node, path);
  if (!isMap(node) && !isSeq(node)) return;
  if (check.above.length >= check.maxNesting) {
    check.problems.push({ path, message: `is nested more than ${check.maxNesting} deep` });
    return;
  }
  check.above.push(node);
  if (isMap(node)) checkMap(check, node, path);
  else node.items.forEach((item, index) => checkNode(check, item, `${path}[${index}]`));
  check.above.pop();
};

const checkMap = (check: Check, map: YAMLMap<ParsedNode, ParsedNode | null>, path: string): void => {
  const seen = new Set<string>();
  for (const { key, value } of map.items) {
    const name = isScalar(key) ? String(key.value) : "";
    const at = path === "" ? name : `${path}.${name}`;
    if (seen.has(name)) check.problems.push({ path: at, message: "is there twice" });
    if (name === "__proto__") check.problems.push({ path: at, message: "is not a key that an object may have" });
    if (name.startsWith("\uFEFF"))
      check.problems.push({ path, message: "has a byte order mark in its text; remove it" });
    seen.add(name);
    checkNode(check, value, at);
  }
};

const checkAlias = (check: Check, alias: Alias, path: string): void => {
  if (check.above.includes(alias.resolve(check.document))) {
    check.problems.push({ path, message: `*${alias.source} is used inside itself` });
  }
};
