/**
 * Whether a decoded message, or one within it, has fields that this version does not know. Whatever they say, without them the
 * message says something else.
 */
export const hasUnknownFields = (message: object): boolean => {
  if ("$unknown" in message && Array.isArray(message.$unknown) && message.$unknown.length > 0) return true;
  return Object.values(message).some(
    (value: unknown) =>
      typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && hasUnknownFields(value),
  );
};
