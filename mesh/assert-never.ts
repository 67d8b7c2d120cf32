/** Closes a switch over a tagged union: it does not compile while a kind is missing. @throws Error if reached anyway. */
export const assertNever = (value: never): never => {
  throw new Error(`unexpected kind: ${JSON.stringify(value)}`);
};
