/** What gRPC has: OK to UNAUTHENTICATED. */
const KNOWN = /^(?:\d|1[0-6])$/;
const UNKNOWN = 2;

/**
 * The status of a gRPC call as its client sees it: what is no status is UNKNOWN, and where none came the status of HTTP
 * decides (grpc/doc/http-grpc-status-mapping.md).
 * @param grpcStatus `grpc-status` as it came
 * @param status of HTTP; 0: no head came
 * @returns 0 to 16; where nothing came at all, UNAVAILABLE
 */
export const grpcOutcome = (grpcStatus: string | undefined, status: number): number => {
  if (grpcStatus !== undefined) return KNOWN.test(grpcStatus) ? Number(grpcStatus) : UNKNOWN;
  return BY_HTTP_STATUS.get(status) ?? UNKNOWN;
};

const BY_HTTP_STATUS: ReadonlyMap<number, number> = new Map([
  [0, 14],
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);
