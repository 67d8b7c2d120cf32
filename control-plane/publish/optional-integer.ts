/** A whole number as protobuf's 64-bit integers are given. */
export const optionalInteger = (value: number | undefined): bigint | undefined =>
  value === undefined ? undefined : BigInt(value);
