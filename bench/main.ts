import { writeFileSync } from "node:fs";
import { assertNever } from "#mesh/assert-never.ts";
import { CliFailure, EXIT } from "#cli/failure.ts";
import type { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { runFloodsBench } from "./floods/floods-bench.ts";
import { formatFloodReport } from "./floods/report.ts";
import { runHopBench } from "./hop/hop-bench.ts";
import { formatHopReport } from "./hop/report.ts";
import { BenchMesh } from "./mesh/bench-mesh.ts";
import { runMeshBench } from "./mesh/mesh-bench.ts";
import { type BenchOptions, HELP, parseOptions } from "./options.ts";
import { formatMeshReport } from "./report.ts";
import { formatScaleReport } from "./scale/report.ts";
import { runScaleBench } from "./scale/scale-bench.ts";
import { ScaleMesh } from "./scale/scale-mesh.ts";
import { SIZES } from "./scale/scale-objects.ts";
import { binaryFrom, requireBenchTools } from "./tools.ts";
import { formatWireReport } from "./wire/report.ts";
import { runWireBench } from "./wire/wire-bench.ts";

type Task = Exclude<BenchOptions, { readonly kind: "help" }>;

/** Progress goes beside the table, so that the table alone can be kept. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const measureMesh = async (task: Task): Promise<void> => {
  await requireBenchTools(say);
  const envoyBinary = binaryFrom("ENVOY");
  if (binaryFrom("ZTUNNEL") !== undefined) say("ZTUNNEL is not compared with yet: bench/README.md says why");
  const mesh = new BenchMesh(envoyBinary);
  meshes.push(mesh);
  const report = await runMeshBench(mesh, { ...task, envoyBinary }, say);
  write(task, report, formatMeshReport(report));
};

const measureScale = async (task: Task): Promise<void> => {
  await requireBenchTools(say);
  const scaled = SIZES.map((size) => new ScaleMesh(size));
  meshes.push(...scaled);
  const report = await runScaleBench(scaled, task, say);
  write(task, report, formatScaleReport(report));
};

const measureWire = async (task: Task): Promise<void> => {
  const report = await runWireBench(task, say);
  write(task, report, formatWireReport(report));
};

const measureHop = async (task: Task): Promise<void> => {
  await requireBenchTools(say);
  const report = await runHopBench(task, say);
  write(task, report, formatHopReport(report));
};

const measureFloods = async (task: Task): Promise<void> => {
  const report = await runFloodsBench(task, say);
  write(task, report, formatFloodReport(report));
};

const write = ({ json }: Task, report: object, text: string): void => {
  process.stdout.write(`\n${text}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
};

const MEASURES = {
  mesh: measureMesh,
  scale: measureScale,
  hop: measureHop,
  wire: measureWire,
  floods: measureFloods,
} as const;

const main = async (): Promise<void> => {
  const options = parseOptions(process.argv.slice(2));
  if (!options.ok) throw new CliFailure(options.error, { exitCode: EXIT.usage, hint: "npm run bench -- --help" });
  const task = options.value;
  switch (task.kind) {
    case "help":
      process.stdout.write(HELP);
      return;
    case "mesh":
    case "scale":
    case "hop":
    case "wire":
    case "floods":
      return MEASURES[task.kind](task);
    default:
      return assertNever(task);
  }
};

const unexpected = (error: unknown) => ({
  message: (error as Error).stack ?? String(error),
  hint: undefined,
  exitCode: EXIT.failed,
});

const meshes: TemporaryMesh[] = [];
let isEnding = false;
const end = async (exitCode: number): Promise<void> => {
  if (isEnding) return;
  isEnding = true;
  await Promise.all(meshes.map((mesh) => mesh.down()));
  process.exit(exitCode);
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(130));

try {
  await main();
  await end(0);
} catch (error) {
  if (!isEnding) {
    const { message, hint, exitCode } = error instanceof CliFailure ? error : unexpected(error);
    process.stderr.write(`\nbench: ${message}\n${hint === undefined ? "" : `  try: ${hint}\n`}`);
    await end(exitCode);
  }
}
