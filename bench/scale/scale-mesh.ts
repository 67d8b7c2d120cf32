import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TemporaryMesh } from "#cli/temporary-mesh.ts";
import type { ConfigStatus } from "#mesh/admin/agent-status.ts";
import { CALLED_PREFIX, RPC_PATH, writeServer } from "../mesh/nginx-config.ts";
import { PATIENCE_MS } from "../mesh/prepare.ts";
import { ROUTED_PATH, ROUTED_STATUS } from "../mesh/routes.ts";
import { serviceAddress } from "../mesh/service-address.ts";
import { heddle } from "../ways/heddle.ts";
import type { Way } from "../ways/way.ts";
import { describeSize, REPLICAS, scaleObjects, serverName, type Size } from "./scale-objects.ts";

/** A mesh of a certain size. */
export class ScaleMesh extends TemporaryMesh {
  readonly #size: Size;
  /** What the pods' programs read. */
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-scale-files-"));

  constructor(size: Size) {
    super(`scale-${size.name}`, PATIENCE_MS);
    this.#size = size;
    for (let index = 0; index < REPLICAS; index++) writeServer(this.#folder, serverName(index));
    for (const [file, yaml] of Object.entries(scaleObjects(this.#folder, size))) {
      writeFileSync(join(this.objects, file), yaml);
    }
  }

  /** For people. */
  get title(): string {
    return describeSize(this.#size);
  }

  /** Starts it, and waits until both nodes hold everything. */
  async begin(): Promise<Way> {
    await super.up("--nodes", "2", "--workers", "1");
    await this.untilCaptured("meshed");
    await this.until(({ nodes }) => nodes.every(({ agent }) => isHeld(agent?.config, this.#size)));
    const { name } = this.#size;
    return {
      ...heddle(this, await serviceAddress(this)),
      name,
      carrier: name,
      paths: { http: `${CALLED_PREFIX}/items`, http2: RPC_PATH },
      probe: { path: `${CALLED_PREFIX}${ROUTED_PATH}`, status: ROUTED_STATUS },
    };
  }

  override async down(): Promise<void> {
    await super.down();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Whether a node has all endpoints, and its workers too. */
const isHeld = (config: ConfigStatus | undefined, { otherEndpoints }: Size): boolean =>
  config !== undefined && (config.resources.address ?? 0) > otherEndpoints && config.enforced === config.generation;
