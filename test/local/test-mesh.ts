import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import type { PodReport, RuntimeStatus } from "#local/status.ts";
import { stateRoot } from "#local/state/state-folder.ts";
import type { Finding } from "#cli/diagnosis.ts";

/** How a command ended, and what it wrote. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Another user, and the copy of the project that he may read. */
export interface TestUser {
  readonly uid: number;
  readonly home: string;
  readonly program: string;
}

export interface TestMeshOptions {
  /** Who runs it; whoever runs the test by default. */
  readonly user?: TestUser;
  /** What runs as supervisor of every node, if not the real one. */
  readonly supervisor?: string;
}

/** What a command complained of, without what is said to every ordinary user for whom no user ids are set aside. */
export const complaints = (stderr: string): string =>
  stderr.replace(/^heddle: isolation is reduced: .*\n {2}to get full isolation: .*\n/m, "");

const PROGRAM = dirname(dirname(import.meta.dirname));

/** A mesh of its own for a test, with a folder of objects of its own. */
export class TestMesh {
  readonly name = `test-${randomBytes(4).toString("hex")}`;
  readonly objects = mkdtempSync(join(tmpdir(), "heddle-objects-"));
  readonly user: TestUser | undefined;
  readonly environment: Readonly<Record<string, string>>;

  constructor(objects: Readonly<Record<string, string>> = {}, { user, supervisor }: TestMeshOptions = {}) {
    this.user = user;
    this.environment = {
      ...process.env,
      NO_COLOR: "1",
      ...(supervisor && { HEDDLE_SUPERVISOR_PROGRAM: supervisor }),
      ...(user && { HOME: user.home }),
    };
    if (user) chmodSync(this.objects, 0o755);
    for (const [file, yaml] of Object.entries(objects)) this.write(file, yaml);
  }

  /** The folder with this mesh's state. */
  get state(): string {
    return join(stateRoot(this.environment, this.user?.uid ?? process.getuid?.() ?? 0), this.name);
  }

  write(file: string, yaml: string): void {
    writeFileSync(join(this.objects, file), yaml);
  }

  remove(file: string): void {
    rmSync(join(this.objects, file));
  }

  /** Starts `heddle` with these arguments for this mesh. */
  spawn(command: string, ...args: readonly string[]) {
    const heddle = join(this.user?.program ?? PROGRAM, "bin/heddle");
    const ids = this.user && { uid: this.user.uid, gid: this.user.uid };
    const child = spawn(heddle, [command, "--name", this.name, ...args], { env: this.environment, cwd: "/", ...ids });
    child.stdin.on("error", () => {});
    return child;
  }

  /** Runs `heddle` with these arguments for this mesh. */
  async heddle(command: string, ...args: readonly string[]): Promise<CommandResult> {
    return this.heddleWithInput("", command, ...args);
  }

  async heddleWithInput(input: string, command: string, ...args: readonly string[]): Promise<CommandResult> {
    const child = this.spawn(command, ...args);
    child.stdin.end(input);
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: code as number | null, stdout, stderr };
  }

  /** Starts the mesh in the background. */
  async up(...args: readonly string[]): Promise<CommandResult> {
    return this.heddle("up", this.objects, "--detach", "--workers", "1", ...args);
  }

  /** Starts it, and expects that everything gets ready. */
  async upAndReady(...args: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.up(...args);
    expect(`${stdout}${stderr}${code}`).toMatch(/is up\n[^]*0$/);
  }

  /** Ends it, and removes what it leaves on purpose. */
  async dispose(): Promise<void> {
    await this.heddle("down");
    rmSync(this.objects, { recursive: true, force: true });
    rmSync(this.state, { recursive: true, force: true });
  }

  async status(): Promise<RuntimeStatus & { readonly findings: readonly Finding[] }> {
    const { stdout, stderr } = await this.heddle("status", "-o", "json");
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as RuntimeStatus & { readonly findings: readonly Finding[] };
  }

  /** What is to be said of the mesh, but for reduced isolation, which it has wherever a user without more ids runs the tests. */
  async findings(): Promise<readonly Finding[]> {
    return (await this.status()).findings.filter(({ about }) => about !== "isolation");
  }

  async pod(name: string): Promise<PodReport | undefined> {
    const { pods } = await this.status();
    return pods.find((pod) => `${pod.namespace}/${pod.name}` === name);
  }

  /** Sends a signal to a process of the mesh. @returns the HTTP status of the answer */
  async signal(body: object): Promise<number | undefined> {
    const asked = request({ socketPath: join(this.state, "heddle.sock"), method: "POST", path: "/signal" });
    asked.end(JSON.stringify(body));
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  }

  /** Runs a command in a pod. @returns what it wrote, without the last line's end */
  async exec(pod: string, ...command: readonly string[]): Promise<string> {
    const { stdout, stderr } = await this.heddle("exec", pod, "--", ...command);
    return (stdout + stderr).trimEnd();
  }
}
