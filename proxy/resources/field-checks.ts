/** Checks of single values of a resource. Each puts what is wrong into `problems` and gives something of the right type. */

import type { ServiceName } from "#mesh/service.ts";

/** Problems that are named in a refusal: the first ones will do. */
const MAX_PROBLEMS = 10;
const MAX_PORT = 65_535;

export const formatProblems = (problems: readonly string[]): string => problems.slice(0, MAX_PROBLEMS).join("; ");

/** A text that goes into messages or is held against parts of them: without control characters, which would end a line. */
export const line = (value: string, problems: string[]): string => {
  // oxlint-disable-next-line no-control-regex -- these are what must not be there
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) problems.push(`${quoted(value)} has control characters`);
  return value;
};

/** The name of a header field in lower case (RFC 9110 section 5.1). */
export const headerName = (value: string, problems: string[]): string => {
  if (!/^[a-z0-9!#$%&'*+\-.^_`|~]+$/.test(value)) problems.push(`${quoted(value)} is no header's name in lower case`);
  return value;
};

/** `<namespace>/<hostname>` */
export const serviceNameOf = (value: string, problems: string[]): ServiceName => {
  if (!/^[^/\s]+\/[^/\s]+$/.test(value)) problems.push(`${quoted(value)} is no service`);
  return value as ServiceName;
};

export const portNumber = (value: number, problems: string[]): number => {
  if (value < 1 || value > MAX_PORT) problems.push(`port ${value} is out of range`);
  return value;
};

/** A number that JavaScript can hold. */
export const wholeNumber = (value: bigint, problems: string[]): number => {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) problems.push(`${value} is out of range`);
  return number;
};

export const optionalNumber = (value: bigint | undefined, problems: string[]): number | undefined =>
  value === undefined ? undefined : wholeNumber(value, problems);

const quoted = (value: string): string => JSON.stringify(value.slice(0, 80));
