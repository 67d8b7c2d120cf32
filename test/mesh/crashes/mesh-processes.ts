import { readdirSync, readFileSync } from "node:fs";
import type { TalkingPods } from "../talking-pods.ts";
import type { Role } from "./faults.ts";

const PROGRAMS = {
  worker: "proxy/worker/main.ts",
  agent: "proxy/agent/main.ts",
  supervisor: "proxy/supervisor/main.ts",
  "control-plane": "control-plane/main.ts",
} as const;

/** One process of a mesh. */
export interface MeshProcess {
  readonly pid: number;
  /** `pid:start time`: a pid that is used again is another process. */
  readonly identity: string;
}

/** The processes of a mesh with one worker on each node, by names as `worker 1` and `control-plane`. Seen by root only. */
export const processesOf = (mesh: TalkingPods): ReadonlyMap<string, MeshProcess> => {
  const found = (Object.keys(PROGRAMS) as Role[]).flatMap((role) =>
    mesh.pids(PROGRAMS[role]).flatMap((pid): [string, MeshProcess][] => {
      const node = /HEDDLE_NODE=node-([0-9]+)/.exec(readProc(pid, "environ"))?.[1];
      const start = readProc(pid, "stat").split(") ").at(-1)?.split(" ")[19];
      if (start === undefined || (node === undefined && role !== "control-plane")) return [];
      return [[node === undefined ? role : `${role} ${node}`, { pid, identity: `${pid}:${start}` }]];
    }),
  );
  return new Map(found);
};

/** How many descriptors a process has open. */
export const descriptorsOf = ({ pid }: MeshProcess): number => readdirSync(`/proc/${pid}/fd`).length;

/** Everything below /run/heddle that is no program: sockets, tokens, what supervisors write down. */
export const runFilesOf = ({ pid }: MeshProcess): readonly string[] =>
  ["control-plane", "node-1", "node-2", "public"]
    .flatMap((folder) =>
      readdirSync(`/proc/${pid}/root/run/heddle/${folder}`, { recursive: true }).map(
        (name) => `${folder}/${String(name)}`,
      ),
    )
    .sort();

const readProc = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
};
