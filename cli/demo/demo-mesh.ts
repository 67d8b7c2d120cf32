import { cpSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CliFailure } from "../failure.ts";
import { TemporaryMesh } from "../temporary-mesh.ts";

const EXAMPLES = join(dirname(dirname(import.meta.dirname)), "examples");
const MESH_LABEL = "    istio.io/dataplane-mode: ambient\n";

/** The mesh of the demo: `heddle up` on a copy of the first example, as anybody would start it. */
export class DemoMesh extends TemporaryMesh {
  constructor() {
    super("demo");
    cpSync(join(EXAMPLES, "first-mesh"), this.objects, { recursive: true });
    this.edit("namespaces.yaml", (yaml) => yaml.replace(MESH_LABEL, "    {}\n"));
  }

  /** Puts the label on the namespace: its pods are in the mesh from now on. */
  async join(): Promise<void> {
    this.edit("namespaces.yaml", (yaml) => yaml.replace("    {}\n", MESH_LABEL));
    await this.untilCaptured("shop");
  }

  /** Lets only callers with an identity in. */
  closeToStrangers(): void {
    cpSync(join(EXAMPLES, "first-mesh-strict/strict.yaml"), join(this.objects, "strict.yaml"));
  }

  /** The access log of a node. */
  accessLog(node: string): readonly Readonly<Record<string, string>>[] {
    return readFileSync(join(this.state.logs, `${node}.log`), "utf8")
      .split("\n")
      .filter((line) => line.includes('"log":"access"'))
      .map((line) => JSON.parse(line) as Readonly<Record<string, string>>);
  }

  async killWorker(node: string, index: number): Promise<void> {
    const body = { node, role: "worker", index, signal: "SIGKILL" };
    const killed = await this.client.json("/signal", { method: "POST", body });
    if (!killed.ok) throw new CliFailure(`worker ${index} of ${node} cannot be killed: ${killed.error}`);
  }
}
