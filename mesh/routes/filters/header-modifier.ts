import { type Field, isNamed, newField } from "../field.ts";
import type { HeaderModifier } from "../route.ts";

/** Lines that cannot be joined into one (RFC 9110 section 5.3). */
const NEVER_JOINED = "set-cookie";

/**
 * Sets, adds and removes fields, names without regard to case. `set` replaces all fields of a name; `add` appends to the last
 * one with a bare comma, or makes one. What is not touched stays as and where it is.
 */
export const modifyHeaders = ({ set, add, remove }: HeaderModifier, fields: readonly Field[]): readonly Field[] => {
  const gone = [...remove, ...set.map(({ name }) => name)];
  const kept = gone.length === 0 ? [...fields] : fields.filter((field) => !gone.some((name) => isNamed(field, name)));
  for (const { name, value } of set) kept.push(newField(name, value));
  for (const { name, value } of add) {
    const last = name === NEVER_JOINED ? -1 : kept.findLastIndex((field) => isNamed(field, name));
    const before = kept[last];
    if (before) kept[last] = { ...before, value: before.value === "" ? value : `${before.value},${value}` };
    else kept.push(newField(name, value));
  }
  return kept;
};
