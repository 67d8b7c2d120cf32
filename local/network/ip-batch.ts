import { ok, type Result } from "#mesh/result.ts";
import { runCommand } from "../processes/run-command.ts";

/**
 * Runs lines of ip(8) in a network namespace, all in one process, up to the first that fails.
 * @param namespace name of a namespace in /run/netns; undefined for the one this process lives in
 */
export const ipBatch = async (
  namespace: string | undefined,
  lines: readonly string[],
): Promise<Result<void, string>> => {
  const place = namespace === undefined ? [] : (["-n", namespace] as const);
  const result = await runCommand(["ip", ...place, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  return result.ok ? ok(undefined) : { ok: false, error: explainFailure(result.error, lines) };
};

/** Adds the line that failed, which ip names only by its number. */
export const explainFailure = (complaint: string, lines: readonly string[]): string => {
  const line = /Command failed -:(\d+)/.exec(complaint)?.[1];
  const failed = line === undefined ? undefined : lines[Number(line) - 1];
  return failed === undefined ? complaint : `${complaint} in: ip ${failed}`;
};
