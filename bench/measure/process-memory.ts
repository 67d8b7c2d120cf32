import type { ProxyProcess, Way } from "../ways/way.ts";
import { pssKib } from "./memory.ts";

/** PSS of a process in KiB; undefined where it may not be read. */
export interface ProcessMemory {
  /** Whose process it is. */
  readonly carrier: string;
  readonly label: string;
  readonly side: "client" | "server";
  readonly idleKib: number | undefined;
  readonly loadedKib: number | undefined;
}

/** A process, and its memory at one moment. */
export interface MemoryReading {
  readonly carrier: string;
  readonly process: ProxyProcess;
  readonly kib: number | undefined;
}

/** Of all processes of the ways, each once. */
export const readMemory = async (ways: readonly Way[]): Promise<readonly MemoryReading[]> => {
  const first = ways.filter(({ carrier }, index) => ways.findIndex((way) => way.carrier === carrier) === index);
  const found = await Promise.all(
    first.map(async ({ carrier, processes }) =>
      (await processes()).map((process) => ({ carrier, process, kib: pssKib(process) })),
    ),
  );
  return found.flat();
};

/** What the same processes had before and after the load; undefined for one that has ended meanwhile. */
export const memoryBetween = (
  idle: readonly MemoryReading[],
  loaded: readonly MemoryReading[],
): readonly ProcessMemory[] =>
  idle.map(({ carrier, process: { pid, label, side }, kib }) => ({
    carrier,
    label,
    side,
    idleKib: kib,
    loadedKib: loaded.find(({ process }) => process.pid === pid)?.kib,
  }));
