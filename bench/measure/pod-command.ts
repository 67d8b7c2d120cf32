import { PassThrough, Writable } from "node:stream";
import { execInPod } from "#cli/exec-connection.ts";
import { CliFailure } from "#cli/failure.ts";
import { TextSink } from "#cli/output/text-sink.ts";
import type { TemporaryMesh } from "#cli/temporary-mesh.ts";

/** Time for a program to start and to say what it found, beside the time it was told to run. */
const GRACE_SECONDS = 15;

/**
 * Runs a program in a pod, which should take `seconds`.
 * @returns what it wrote
 * @throws CliFailure if it failed or took much longer
 */
export const runInPod = async (
  mesh: TemporaryMesh,
  pod: string,
  command: readonly string[],
  seconds: number,
): Promise<string> => {
  const stdout = new TextSink();
  const stderr = new TextSink();
  const code = await execInPod(mesh.state.socket, startOf(pod, bounded(command, seconds), false), {
    stdin: undefined,
    stdout,
    stderr,
  });
  if (code === 0) return stdout.text;
  throw failure(pod, command, code, `${stdout.text}${stderr.text}`);
};

/** A program in a pod that runs until it is told to end. */
export class PodProgram {
  readonly #input = new PassThrough();
  readonly #ended: Promise<string>;

  private constructor(ended: (input: PassThrough) => Promise<string>) {
    this.#ended = ended(this.#input);
    this.#ended.catch(() => {});
  }

  /** Starts it, and waits until it has written this. @throws CliFailure if it ends before */
  static async start(
    mesh: TemporaryMesh,
    pod: string,
    command: readonly string[],
    word: string,
    seconds: number,
  ): Promise<PodProgram> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stderr = new TextSink();
    let said = "";
    const stdout = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said += chunk.toString();
        if (said.includes(word)) resolve(undefined);
        done();
      },
    });
    const program = new PodProgram(async (stdin) => {
      const start = startOf(pod, bounded(command, seconds), true);
      const code = await execInPod(mesh.state.socket, start, { stdin, stdout, stderr });
      if (code !== 0) throw failure(pod, command, code, `${said}${stderr.text}`);
      return said;
    });
    const early = program.#ended.then((text) => {
      throw failure(pod, command, 0, text);
    });
    await Promise.race([promise, early]);
    early.catch(() => {});
    return program;
  }

  /** Ends its input, and waits until it has ended. */
  async end(): Promise<void> {
    this.#input.end();
    await this.#ended;
  }
}

const startOf = (key: string, command: readonly string[], stdin: boolean) => {
  const [namespace = "", pod = ""] = key.split("/");
  return { namespace, pod, command, stdin };
};

const bounded = (command: readonly string[], seconds: number): readonly string[] => [
  "timeout",
  "--kill-after=1",
  String(Math.ceil(seconds) + GRACE_SECONDS),
  ...command,
];

const failure = (pod: string, command: readonly string[], code: number, said: string): CliFailure =>
  new CliFailure(`${pod}: ${command.join(" ")} ended with ${code}: ${said.trim()}`);
