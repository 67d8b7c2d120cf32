import { appendFileSync, chmodSync, cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type BareNode, until } from "./bare-node.ts";
import { pidOf } from "./process-footprint.ts";

const PROGRAM = dirname(dirname(import.meta.dirname));
const COPIED = ["proxy", "mesh", "wire", "certs", "api", "package.json"];

const SETTLED_BYTES = 65_536;
const SETTLE_MS = 2_000;

/** What a worker does beside its work: asked by a signal, it collects its garbage and says how much memory it still needs. */
const MEASURE = `
const v8 = await import("node:v8");
v8.setFlagsFromString("--expose-gc");
const collect = (await import("node:vm")).runInNewContext("gc") as () => void;
let measured = 0;
process.on("SIGUSR2", () => {
  collect();
  const { used_heap_size, external_memory } = v8.getHeapStatistics();
  process.stderr.write(\`measurement \${++measured}: \${used_heap_size + external_memory} bytes\\n\`);
});
`;

/**
 * A copy of the project's tree whose workers can be asked for {@link liveBytes}: how much memory a process has from the system
 * says little about what it needs.
 * @returns its path, for HEDDLE_PROGRAM
 */
export const measuredTree = (folder: string): string => {
  const tree = join(folder, "measured-tree");
  mkdirSync(tree);
  for (const name of COPIED) cpSync(join(PROGRAM, name), join(tree, name), { recursive: true });
  symlinkSync(join(PROGRAM, "node_modules"), join(tree, "node_modules"));
  appendFileSync(join(tree, "proxy/worker/main.ts"), MEASURE);
  chmodSync(tree, 0o755);
  return tree;
};

/** Bytes that a worker of a measured tree holds when all garbage is gone. */
export const liveBytes = async (node: BareNode): Promise<number> => {
  const pid = await pidOf(node, "proxy/worker");
  const measurements = (): readonly string[] =>
    Array.from(
      node.supervisor?.output.matchAll(/measurement [0-9]+: ([0-9]+) bytes/g) ?? [],
      ([, bytes = ""]) => bytes,
    );
  const before = measurements().length;
  await node.sandbox.run(["kill", "-USR2", String(pid)]);
  await until(
    () => measurements().length > before,
    () => node.supervisor?.output.slice(-2_000),
  );
  return Number(measurements().at(-1));
};

/** The same when what still comes to its end by itself has ended. */
export const settledBytes = async (node: BareNode): Promise<number> => {
  let [last, bytes] = [Number.POSITIVE_INFINITY, await liveBytes(node)];
  while (bytes < last - SETTLED_BYTES) {
    await delay(SETTLE_MS);
    [last, bytes] = [bytes, await liveBytes(node)];
  }
  return bytes;
};
