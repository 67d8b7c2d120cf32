/** Milliseconds since 1970 as RFC 3339 in UTC, whole seconds: certificates know no smaller ones. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
