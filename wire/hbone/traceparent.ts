/** A W3C trace context with no sampled flag: the id under which both ends of a tunnel log one connection. */
export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly parentId: string;
}

/** Version 00, flags 00, as ztunnel sends it: 55 characters (Trace Context section 3.2). */
export const formatTraceParent = ({ traceId, parentId }: TraceParent): string => `00-${traceId}-${parentId}-00`;

/** @returns undefined for what is no valid header; a higher version is read as far as version 00 goes (section 4.3) */
export const parseTraceParent = (header: string): TraceParent | undefined => {
  const match = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(header);
  const [, version, traceId = "", parentId = "", rest] = match ?? [];
  const isValid = match && /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId);
  return isValid && (version !== "00" || rest === undefined) ? { traceId, parentId } : undefined;
};
