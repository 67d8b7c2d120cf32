import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliFailure } from "#cli/failure.ts";
import { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { direct } from "../ways/direct.ts";
import { envoyAtClient, envoyAtServer } from "../ways/envoy-config.ts";
import { envoy, envoyPair } from "../ways/envoy.ts";
import { haproxyAtClient, haproxyAtServer } from "../ways/haproxy-config.ts";
import { HAPROXY, haproxy, haproxyTcp } from "../ways/haproxy.ts";
import { heddle, heddleL4 } from "../ways/heddle.ts";
import { configFile, type PeerPair } from "../ways/peer-pair.ts";
import type { Way } from "../ways/way.ts";
import { writeCertificates } from "./certificates.ts";
import { writeServer } from "./nginx-config.ts";
import { PATIENCE_MS } from "./prepare.ts";
import { serviceAddress } from "./service-address.ts";
import { meshObjects } from "./objects.ts";

/** One worker for each node: both nodes share the core for proxies. */
const UP = ["--nodes", "2", "--workers", "1"];

/** The mesh that is measured, with what it is compared with in pods that are not part of it. */
export class BenchMesh extends TemporaryMesh {
  /** What the pods' programs read; they see it as this machine does. */
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-bench-files-"));
  readonly #envoy: PeerPair | undefined;

  /** @param envoyBinary compared with too, if it is named */
  constructor(envoyBinary: string | undefined) {
    super("bench", PATIENCE_MS);
    this.#envoy = envoyBinary === undefined ? undefined : envoyPair(this.#folder);
    if (envoyBinary !== undefined) symlinkSync(envoyBinary, join(this.#folder, "envoy"));
    for (const name of ["plain", "meshed"]) writeServer(this.#folder, name);
    writeFileSync(join(this.objects, "mesh.yaml"), meshObjects(this.#folder, this.#pairs));
  }

  /**
   * Starts everything. The mesh is started twice: what the first time compiles, the second time finds, as on a node that runs
   * for longer than a minute.
   * @returns the ways that can be measured, the yardstick before what it is for
   */
  async begin(): Promise<readonly Way[]> {
    await super.up(...UP);
    await this.untilCaptured("meshed");
    await this.stop();
    await super.up(...UP);
    await this.untilCaptured("meshed");
    const server = await this.#addressOf("plain/server");
    this.#writeConfigurations(server);
    const all = [direct(this, server), haproxy(this, this.#folder), haproxyTcp(this, this.#folder)];
    if (this.#envoy) all.push(envoy(this, this.#folder));
    const service = await serviceAddress(this);
    return [...all, heddleL4(this, service, server), heddle(this, service)];
  }

  override async down(): Promise<void> {
    await super.down();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #pairs(): readonly PeerPair[] {
    return this.#envoy ? [HAPROXY, this.#envoy] : [HAPROXY];
  }

  #writeConfigurations(server: string): void {
    const certificates = writeCertificates(this.#folder);
    const write = (pair: PeerPair, side: "client" | "server", text: string): void =>
      writeFileSync(configFile(pair, this.#folder, side), text);
    write(HAPROXY, "server", haproxyAtServer(certificates));
    write(HAPROXY, "client", haproxyAtClient(certificates, server));
    if (!this.#envoy) return;
    write(this.#envoy, "server", envoyAtServer(certificates));
    write(this.#envoy, "client", envoyAtClient(certificates, server));
  }

  async #addressOf(key: string): Promise<string> {
    const { addresses } = await this.pod(key);
    const address = addresses.find((each) => !each.includes(":"));
    if (address === undefined) throw new CliFailure(`${key} has no IPv4 address`);
    return address;
  }
}
