import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestMesh } from "../../local/test-mesh.ts";
import type { Answer, Batch } from "./programs/request.ts";

const PROGRAM = join(import.meta.dirname, "programs/echo-client.ts");

/** programs/echo-client.ts, running in a pod until it is closed. */
export class PodClient {
  readonly pod: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #errors = "";
  #last: Promise<unknown> = Promise.resolve();

  constructor(mesh: TestMesh, pod: string) {
    this.pod = pod;
    this.#child = mesh.spawn("exec", "-i", pod, "--", "node", PROGRAM);
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    this.#child.stderr.on("data", (text: Buffer) => (this.#errors += text.toString()));
  }

  /** Sends requests. @returns their answers in the same order. @throws Error with what the program complained of */
  async send(batch: Batch): Promise<readonly Answer[]> {
    const answers = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify(batch)}\n`);
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`the client in ${this.pod} has ended: ${this.#errors}`);
      return JSON.parse(value) as readonly Answer[];
    });
    // One batch after another, also when one failed.
    this.#last = answers.catch(() => undefined);
    return answers;
  }

  close(): void {
    this.#child.stdin.end();
  }
}
