import { err, ok, type Result } from "../result.ts";

/** One thing that is wrong with an object, and where: `spec.ports[0].port`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/**
 * Reads a JSON value of one shape. Every problem found is added to `problems`; what comes back is only meaningful when none
 * was. Readers never throw and never look at a key they were not told of, so that keys like `__proto__` mean nothing.
 */
export type Reader<Value> = (value: unknown, path: string, problems: Problem[]) => Value;

/** How an optional field is told from a required one. */
type Field<Value> =
  | { readonly required: true; readonly read: Reader<Value> }
  | { readonly required: false; readonly read: Reader<Value>; readonly fallback: Value };

type FieldsOf<Shape> = { readonly [Key in keyof Shape]: Field<Shape[Key]> };

/** Runs a reader over a whole object. @returns the value, or every problem found. */
export const read = <Value>(reader: Reader<Value>, value: unknown, path = ""): Result<Value, readonly Problem[]> => {
  const problems: Problem[] = [];
  const result = reader(value, path, problems);
  return problems.length === 0 ? ok(result) : err(problems);
};

/** A field that must be there. */
export const required = <Value>(reader: Reader<Value>): Field<Value> => ({ required: true, read: reader });

/** A field that may be absent or null; `fallback` stands for it then. */
export const optional = <Value, const Fallback = undefined>(
  reader: Reader<Value>,
  fallback?: Fallback,
): Field<Value | Fallback> => ({ required: false, read: reader, fallback: fallback as Fallback });

/** An object with these fields. Others are ignored, as a Kubernetes object has many that do not concern the mesh. */
export const object =
  <Shape>(fields: FieldsOf<Shape>): Reader<Shape> =>
  (value, path, problems) => {
    const source = asObject(value, path, problems);
    const result: Partial<Shape> = {};
    for (const name of Object.keys(fields) as (keyof Shape & string)[]) {
      result[name] = readField(source, name, fields[name], path, problems);
    }
    return result as Shape;
  };

/** The same, but a field that is not named is a mistake: for small objects whose every word decides about access. */
export const strictObject =
  <Shape>(fields: FieldsOf<Shape>): Reader<Shape> =>
  (value, path, problems) => {
    for (const name of Object.keys(asObject(value, path, []) ?? {})) {
      if (!Object.hasOwn(fields, name)) {
        problems.push({
          path: join(path, name),
          message: `unknown field; known are ${Object.keys(fields).join(", ")}`,
        });
      }
    }
    return object(fields)(value, path, problems);
  };

const readField = <Value>(
  source: Record<string, unknown> | undefined,
  name: string,
  field: Field<Value>,
  path: string,
  problems: Problem[],
): Value => {
  const value = source && Object.hasOwn(source, name) ? source[name] : undefined;
  if (value !== undefined && value !== null) return field.read(value, join(path, name), problems);
  if (!field.required) return field.fallback;
  if (source) problems.push({ path: join(path, name), message: "is required" });
  return field.read(undefined, path, []);
};

/** A list; a problem names the index. */
export const list =
  <Value>(item: Reader<Value>): Reader<readonly Value[]> =>
  (value, path, problems) => {
    if (Array.isArray(value)) return value.map((element, index) => item(element, `${path}[${index}]`, problems));
    problems.push({ path, message: `must be a list, not ${describe(value)}` });
    return [];
  };

/** An object used as a map from text to values. */
export const mapOf =
  <Value>(item: Reader<Value>): Reader<ReadonlyMap<string, Value>> =>
  (value, path, problems) =>
    new Map(
      Object.entries(asObject(value, path, problems) ?? {}).map(([key, element]) => [
        key,
        item(element, `${path}[${JSON.stringify(key)}]`, problems),
      ]),
    );

export const text: Reader<string> = (value, path, problems) => {
  if (typeof value === "string") return value;
  problems.push({ path, message: `must be text, not ${describe(value)}` });
  return "";
};

export const flag: Reader<boolean> = (value, path, problems) => {
  if (typeof value === "boolean") return value;
  problems.push({ path, message: `must be true or false, not ${describe(value)}` });
  return false;
};

/** A whole number within bounds, both included. */
export const integer =
  (min: number, max: number): Reader<number> =>
  (value, path, problems) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    problems.push({ path, message: `must be a whole number from ${min} to ${max}, not ${describe(value)}` });
    return min;
  };

/** A TCP or UDP port. */
export const port = integer(1, 65535);

/** One of a few words, upper and lower case told apart. */
export const oneOf =
  <const Word extends string>(...words: readonly [Word, ...Word[]]): Reader<Word> =>
  (value, path, problems) => {
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    problems.push({ path, message: `must be one of ${words.join(", ")}, not ${describe(value)}` });
    return words[0];
  };

/** Text that a parser of the mesh understands. */
export const parsed =
  <Value>(parse: (text: string) => Result<Value, string>): Reader<Value> =>
  (value, path, problems) => {
    if (typeof value !== "string") {
      problems.push({ path, message: `must be text, not ${describe(value)}` });
      return undefined as Value;
    }
    const result = parse(value);
    if (result.ok) return result.value;
    problems.push({ path, message: result.error });
    return undefined as Value;
  };

/** A value as it is, checked by nobody. */
export const anything: Reader<unknown> = (value) => value;

const asObject = (value: unknown, path: string, problems: Problem[]): Record<string, unknown> | undefined => {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  problems.push({ path, message: `must be an object, not ${describe(value)}` });
  return undefined;
};

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

const describe = (value: unknown): string => {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return typeof value === "object" && value !== null ? "an object" : String(value);
};
