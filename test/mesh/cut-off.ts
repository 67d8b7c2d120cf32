import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import type { TalkingPods } from "./talking-pods.ts";

const RULES = [
  "add table inet cut",
  "add chain inet cut out { type filter hook output priority 0; }",
  "add rule inet cut out tcp dport 15012 drop",
  "add chain inet cut in { type filter hook input priority 0; }",
  "add rule inet cut in tcp sport 15012 drop",
].join("; ");

/** What only a node's agent needs: nothing comes from the control plane, and nothing gets there; or all of it again. */
export const cutOff = async (mesh: TalkingPods, node: number, isCutOff: boolean): Promise<void> => {
  const agent = mesh
    .pids("proxy/agent/main.ts")
    .find((pid) => readFileSync(`/proc/${pid}/environ`, "utf8").includes(`HEDDLE_NODE=node-${node}\0`));
  const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  const rules = isCutOff ? RULES : "delete table inet cut";
  await promisify(execFile)("nsenter", [`--target=${agent}`, ...user, "--net", "nft", rules]);
};
