/**
 * The `baggage` header of a tunnel request or response, as ztunnel writes it: who the workload at this end is, for the other
 * end's telemetry. Never an input to policy: anybody can write it.
 */
export interface WorkloadBaggage {
  readonly cluster?: string;
  readonly namespace?: string;
  readonly ownerKind?: "deployment" | "cronjob" | "pod" | "job";
  readonly ownerName?: string;
  readonly service?: string;
  readonly revision?: string;
  readonly region?: string;
  readonly zone?: string;
}

/** One header holds eight short members; a longer one is not read. */
const MAX_BAGGAGE_CHARACTERS = 4096;

/** W3C Baggage section 3.3.1: what stands in a value as it is, the percent sign left out; the rest is percent-encoded. */
const PLAIN_VALUE = /^[\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/** Empty and absent values are left out. */
export const formatBaggage = (baggage: WorkloadBaggage): string => {
  const members: readonly (readonly [string, string | undefined])[] = [
    ["k8s.cluster.name", baggage.cluster],
    ["k8s.namespace.name", baggage.namespace],
    [`k8s.${baggage.ownerKind}.name`, baggage.ownerKind && baggage.ownerName],
    ["service.name", baggage.service],
    ["service.version", baggage.revision],
    ["cloud.region", baggage.region],
    ["cloud.availability_zone", baggage.zone],
  ];
  return members
    .filter(([, value]) => value)
    .map(([key, value = ""]) => `${key}=${PLAIN_VALUE.test(value) ? value : encodeURIComponent(value)}`)
    .join(",");
};

/** Reads the members that are known; others, and empty values, are as if they were not there. */
export const parseBaggage = (header: string): WorkloadBaggage => {
  if (header.length > MAX_BAGGAGE_CHARACTERS) return {};
  const baggage: { -readonly [Key in keyof WorkloadBaggage]: WorkloadBaggage[Key] } = {};
  for (const member of header.split(",")) {
    const equals = member.indexOf("=");
    const value = decodeValue(
      member
        .slice(equals + 1)
        .split(";")[0]
        ?.trim() ?? "",
    );
    if (equals < 0 || value === "") continue;
    const key = member.slice(0, equals).trim();
    const owner = /^k8s\.(deployment|cronjob|pod|job)\.name$/.exec(key)?.[1] as WorkloadBaggage["ownerKind"];
    if (owner) [baggage.ownerKind, baggage.ownerName] = [owner, value];
    else if (key === "k8s.cluster.name") baggage.cluster = value;
    else if (key === "k8s.namespace.name") baggage.namespace = value;
    else if (key === "service.name") baggage.service = value;
    else if (key === "service.version") baggage.revision = value;
    else if (key === "cloud.region") baggage.region = value;
    else if (key === "cloud.availability_zone") baggage.zone = value;
  }
  return baggage;
};

const decodeValue = (text: string): string => {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
};
