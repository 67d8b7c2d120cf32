import { assertNever } from "../assert-never.ts";

/** How a policy names strings. */
export type StringMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "suffix"; readonly value: string }
  /** Any string that is not empty. */
  | { readonly kind: "presence" };

export const matchesString = (match: StringMatch, text: string): boolean => {
  switch (match.kind) {
    case "exact":
      return text === match.value;
    case "prefix":
      return text.startsWith(match.value);
    case "suffix":
      return text.endsWith(match.value);
    case "presence":
      return text !== "";
    default:
      return assertNever(match);
  }
};
