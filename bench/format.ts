import type { Machine } from "./machine.ts";
import type { Summary } from "./statistics.ts";

export const formatMachine = ({ cpu, cores, memoryGiB, kernel, versions }: Machine): string => {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB; Linux ${kernel}\n${names.join(", ")}`;
};

/** The median, and from where to where it went. */
export const formatSummary = (value: Summary | undefined): string => {
  if (!value) return "-";
  const { median, min, max } = value;
  return min === max ? formatNumber(median) : `${formatNumber(median)} (${formatNumber(min)}..${formatNumber(max)})`;
};

/** Three digits say as much as repeated measurements do. */
export const formatNumber = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 999_500) return `${(value / 1e6).toFixed(2)}M`;
  if (size >= 99_950) return `${Math.round(value / 1000)}k`;
  if (size >= 9_995) return `${(value / 1000).toFixed(1)}k`;
  if (size >= 99.95) return String(Math.round(value));
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
};

export const formatMib = (kib: number | undefined): string => (kib === undefined ? "-" : (kib / 1024).toFixed(1));
