/** What an operation that may fail in an expected way gives back. */
export type Result<Value, Problem> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: Problem };

/** A success carrying `value`. */
export const ok = <Value>(value: Value): { readonly ok: true; readonly value: Value } => ({ ok: true, value });

/** A failure carrying what is wrong. */
export const err = <Problem>(error: Problem): { readonly ok: false; readonly error: Problem } => ({ ok: false, error });

/** The value of a result that cannot have failed here. @throws Error naming the problem if it did. */
export const unwrap = <Value, Problem>(result: Result<Value, Problem>): Value => {
  if (result.ok) return result.value;
  throw new Error(typeof result.error === "string" ? result.error : JSON.stringify(result.error));
};
