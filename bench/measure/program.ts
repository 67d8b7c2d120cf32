import { type ChildProcess, spawn } from "node:child_process";
import { basename } from "node:path";
import type { Cores } from "./pinning.ts";

/** What a program answers by the names of questions. What is asked and answered has to survive JSON. */
export type Replies = Readonly<Record<string, (asked: never) => object | Promise<object>>>;
type Asked<Reply extends Replies[string]> = Parameters<Reply>[0];
type Answered<Reply extends Replies[string]> = Awaited<ReturnType<Reply>>;

const ANSWER_MS = 60_000;

/** A program of the bench in a process of its own, on a core of its own, which answers what it is asked in order. */
export class Program<Its extends Replies> {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly pid: number;

  /** @param niceness of the load: who floods shall not be why a client waits */
  constructor(file: URL, side: "load" | "proxies", cores: Cores, niceness = 0) {
    this.#name = basename(file.pathname);
    const pinned = cores.kind === "split" ? ["taskset", "--cpu-list", String(cores[side])] : [];
    const command = [...pinned, "nice", "-n", String(niceness), process.execPath, ...process.execArgv];
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", ...command, "--expose-gc", file.pathname], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("error", () => undefined);
    this.pid = this.#child.pid ?? -1;
  }

  /** @throws Error when it does not answer, or is gone */
  ask<Name extends keyof Its & string>(name: Name, asked?: Asked<Its[Name]>): Promise<Answered<Its[Name]>> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered<Its[Name]>>();
    const fail = (): void => reject(new Error(`${this.#name} does not answer ${name}`));
    const timer = setTimeout(fail, ANSWER_MS);
    this.#child.once("exit", fail);
    this.#child.once("message", (answer) => resolve(answer as Answered<Its[Name]>));
    this.#child.send({ name, asked }, (error) => error && fail());
    return promise.finally(() => {
      clearTimeout(timer);
      this.#child.off("exit", fail);
    });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** In the program: answers what it is asked, one after the other, until nobody is there to ask. */
export const answer = (replies: Replies): void => {
  process.on("message", ({ name, asked }: { name: string; asked: never }) => {
    void Promise.resolve(replies[name]?.(asked)).then((said) => process.send?.(said ?? {}));
  });
  process.on("disconnect", () => process.exit(0));
};
