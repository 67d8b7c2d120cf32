import { spawn } from "node:child_process";
import { inNetworkNamespace, type NetworkNamespace } from "../kernel/network-namespace.ts";

/** How long nft or ip may take; a node under heavy load is slow, a hung one is not waited for. */
const TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 262_144;

/**
 * Runs a program inside a namespace, with `input` on its stdin. It is a child so that the supervisor goes on meanwhile: nft
 * takes 17 ms in the calling thread, starting it takes 4.
 * @returns what it printed
 * @throws Error with what it said on stderr if it fails, is killed, or takes too long
 */
export const runInNamespace = (
  namespace: NetworkNamespace,
  command: string,
  args: readonly string[],
  input: string,
): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = inNetworkNamespace(namespace, () =>
      spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], cwd: "/" }),
    );
    // Without descriptors for its pipes it has none, and says why in the event.
    if (!child.stdin || !child.stdout || !child.stderr) {
      child.on("error", (error) => reject(new Error(`${command} cannot be started: ${error.message}`)));
      return;
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    let output = "";
    let complaints = "";
    child.stdout
      .setEncoding("utf8")
      .on("data", (text: string) => (output = (output + text).slice(0, MAX_OUTPUT_BYTES)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaints = (complaints + text).slice(0, 2048)));
    child.stdin.on("error", () => undefined).end(input);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`${command} cannot be started: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(" ")}: ${complaints.trim() || (signal ?? `exit code ${code}`)}`));
    });
  });
