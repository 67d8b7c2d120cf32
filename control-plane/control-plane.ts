import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { authorityStatus } from "#certs/issue/authority-status.ts";
import { CertificateAuthority } from "#certs/issue/certificate-authority.ts";
import type { NodeTrust } from "#certs/issue/rotation.ts";
import type { Clock } from "#mesh/clock.ts";
import { ok, type Result } from "#mesh/result.ts";
import { formatSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import type { ObjectSource } from "./collect/object-source.ts";
import { derivedStatuses } from "./derive/derived-status.ts";
import type { Log } from "./log.ts";
import { Pipeline } from "./pipeline.ts";
import { RootsFile } from "./publish/roots-file.ts";
import { StatusFolder } from "./publish/status-folder.ts";
import { type AdminActions, createAdminServer } from "./serve/admin-server.ts";
import { authenticateWith } from "./serve/authenticate.ts";
import { AuthorityKeeper } from "./serve/authority-keeper.ts";
import { CertificateService } from "./serve/certificate-service.ts";
import { leaveBehind, rotateRoot } from "./serve/rotate-root.ts";
import { configDump } from "./serve/config-dump.ts";
import { DiscoveryService } from "./serve/discovery-service.ts";
import { GrpcServer } from "./serve/grpc-server.ts";
import { loadJoinKey } from "./serve/join-key.ts";
import { JoinTokens } from "./serve/join-tokens.ts";
import { KnownRoots } from "./serve/known-roots.ts";
import { NodeRegistry } from "./serve/node-registry.ts";
import { routesDump } from "./serve/routes-dump.ts";
import { RefusalLog } from "./serve/refusal-log.ts";
import { ServingCertificate } from "./serve/serving-certificate.ts";
import { clearSocketPath, listenPrivately } from "./serve/unix-socket.ts";
import type { Settings } from "./settings.ts";

/** What the control plane gets from outside. */
export interface Surroundings {
  readonly source: ObjectSource;
  readonly clock: Clock;
  readonly log: Log;
}

/** All parts of the control plane, put together. */
export class ControlPlane {
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #authority: CertificateAuthority;
  readonly #tokens: JoinTokens;
  readonly #source: ObjectSource;
  readonly #pipeline: Pipeline;
  readonly #nodes: NodeRegistry;
  readonly #rootsFile: RootsFile;
  readonly #knownRoots = new KnownRoots();
  readonly #statuses: StatusFolder | undefined;
  /** What is not collected yet is not gone. */
  #isCollected = false;
  readonly #serving: ServingCertificate;
  readonly #keeper: AuthorityKeeper;
  readonly #grpc: GrpcServer;
  readonly #admin: FastifyInstance;
  #address: SocketAddress | undefined;

  /** Starts everything. @returns when nodes are served, or what keeps it from starting */
  static async start(settings: Settings, surroundings: Surroundings): Promise<Result<ControlPlane, string>> {
    const socket = await clearSocketPath(settings.adminSocket);
    if (!socket.ok) return socket;
    let started: ControlPlane | undefined;
    const opened = openAuthority(settings, surroundings.clock, (bundle) => {
      if (started) started.#trust(bundle);
    });
    if (!opened.ok) return opened;
    const joinKey = loadJoinKey(settings.authorityDirectory, randomBytes);
    if (!joinKey.ok) return joinKey;
    const tokens = new JoinTokens(joinKey.value, surroundings.clock);
    started = new ControlPlane(settings, surroundings, opened.value, tokens);
    const listening = await started.#listen();
    if (listening.ok) return ok(started);
    await started.stop();
    return listening;
  }

  private constructor(
    settings: Settings,
    { source, clock, log }: Surroundings,
    authority: CertificateAuthority,
    tokens: JoinTokens,
  ) {
    const { trustDomain, cluster, rootNamespace, areReferenceGrantsRequired } = settings;
    this.#settings = settings;
    this.#rootsFile = new RootsFile(settings.publicDirectory);
    this.#log = log;
    this.#authority = authority;
    this.#tokens = tokens;
    this.#source = source;
    this.#nodes = new NodeRegistry(trustDomain, clock);
    this.#serving = new ServingCertificate(authority, clock, log, Math.random);
    this.#pipeline = new Pipeline(
      { trustDomain, cluster, rootNamespace, areReferenceGrantsRequired },
      clock,
      log,
      (change) => {
        discovery.publish(change);
        this.#publishStatuses();
      },
    );
    this.#statuses =
      settings.statusDirectory === undefined
        ? undefined
        : new StatusFolder({ path: settings.statusDirectory, clock, random: Math.random, log });
    this.#keeper = new AuthorityKeeper({
      authority,
      trust: () => this.#trustOfNodes(),
      onNewRoot: () => this.#serving.renew(),
      onTick: () => this.#rootsFile.retry(),
      onClockSet: () => this.#serving.renew(),
      clock,
      log,
    });
    const authenticate = authenticateWith(tokens, cluster);
    const strangers = new RefusalLog(log, clock);
    const { catalog, model } = this.#pipeline;
    const discovery = new DiscoveryService({ authenticate, strangers, catalog, nodes: this.#nodes, clock, log });
    const isScheduled = model.isScheduled.bind(model);
    this.#grpc = new GrpcServer(
      discovery,
      new CertificateService({ authenticate, strangers, authority, isScheduled, clock, log }),
    );
    this.#admin = createAdminServer(this.#adminActions());
  }

  /** Where nodes are served. */
  get address(): SocketAddress | undefined {
    return this.#address;
  }

  /** Ends streams, files and sockets in order. */
  async stop(): Promise<void> {
    await this.#source.stop();
    this.#pipeline.stop();
    this.#keeper.stop();
    this.#serving.stop();
    await this.#grpc.stop();
    await this.#admin.close();
    await this.#statuses?.stop();
  }

  /** Nobody is served before everything that is there has been read: half a mesh looks like the other half was removed. */
  async #listen(): Promise<Result<SocketAddress, string>> {
    const { listen, adminSocket } = this.#settings;
    const roots = this.#rootsFile.write(this.#authority.bundle);
    if (!roots.ok) return roots;
    const credentials = this.#serving.start();
    if (!credentials.ok) return credentials;
    this.#knownRoots.add(this.#authority.bundle);
    this.#pipeline.trust(this.#authority.bundle);
    await this.#statuses?.open();
    const collected = await this.#source.start((change) => this.#pipeline.collected(change));
    if (!collected.ok) return collected;
    this.#isCollected = true;
    this.#pipeline.flush();
    const address = await this.#grpc.listen(listen, credentials.value);
    if (!address.ok) return address;
    this.#address = address.value;
    this.#keeper.start();
    await this.#admin.ready();
    const admin = await listenPrivately(this.#admin.server, adminSocket);
    if (!admin.ok) return admin;
    const where = formatSocketAddress(address.value);
    this.#log.info({ address: where, admin: adminSocket }, `the control plane serves on ${where}`);
    return address;
  }

  #trust(bundle: TrustBundle): void {
    this.#knownRoots.add(bundle);
    const written = this.#rootsFile.write(bundle);
    if (!written.ok) this.#log.error({ reason: written.error }, `new nodes cannot join: ${written.error}`);
    this.#pipeline.trust(bundle);
  }

  #publishStatuses(): void {
    if (this.#isCollected) this.#statuses?.set(derivedStatuses(this.#pipeline.model));
  }

  #trustOfNodes(): readonly NodeTrust[] {
    // Only a new root has to wait for nodes that have not come back since the start.
    const isAwaited = this.#authority.set.rotation.announced !== undefined;
    const nodes = this.#nodes.trust(this.#knownRoots, isAwaited ? this.#pipeline.model.meshNodes() : []);
    return [...nodes, ...this.#rootsFile.trust];
  }

  #adminActions(): AdminActions {
    const { model, catalog, inventory } = this.#pipeline;
    const nodes = () => this.#nodes.statuses(catalog);
    const dump = () => configDump(model, this.#source.statuses(), nodes(), this.#statuses);
    return {
      configDump: dump,
      routes: () => routesDump(model, dump().objects),
      nodes,
      inventory: (after, waitMs) => inventory.next(after, waitMs),
      certificates: () => authorityStatus(this.#authority, this.#trustOfNodes()),
      rotateRoot: () => rotateRoot(this.#authority, this.#trustOfNodes()),
      rotateIssuing: () => this.#authority.rotateIssuing(),
      cancelRotation: () => this.#authority.cancelRootRotation(),
      leaveBehind: (node) => leaveBehind(this.#authority, this.#trustOfNodes(), node),
      dropRoot: (root, evenIfUsed) => this.#authority.dropRoot(root, evenIfUsed),
      issueJoinToken: (node, lifetimeMs) => this.#tokens.issue(node, lifetimeMs),
    };
  }
}

const openAuthority = (
  { authorityDirectory, trustDomain, leafLifetimeMs }: Settings,
  clock: Clock,
  onBundle: (bundle: TrustBundle) => void,
): Result<CertificateAuthority, string> =>
  CertificateAuthority.open({
    directory: authorityDirectory,
    trustDomain,
    leafLifetimeMs,
    clock,
    random: randomBytes,
    onBundle,
  });
