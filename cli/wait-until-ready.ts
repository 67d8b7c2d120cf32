import { setTimeout as delay } from "node:timers/promises";
import type { RuntimeEnd } from "#local/launch/launch-runtime.ts";
import type { UnixClient } from "#local/socket/unix-client.ts";
import type { RuntimeStatus } from "#local/status.ts";
import { diagnose, type Finding, isCrashing } from "./diagnosis.ts";

/** What became of a mesh that was started. */
export type UpOutcome =
  | { readonly kind: "ready"; readonly status: RuntimeStatus; readonly findings: readonly Finding[] }
  /** Not everything is as it should be, and waiting longer does not help or has been long enough. */
  | { readonly kind: "unwell"; readonly status: RuntimeStatus | undefined; readonly findings: readonly Finding[] }
  | { readonly kind: "ended"; readonly end: RuntimeEnd };

export interface WaitSettings {
  readonly client: UnixClient;
  /** Whose status counts. */
  readonly instance: string;
  readonly exited: Promise<RuntimeEnd>;
  readonly timeoutMs: number;
  /** Is shown every status on the way. */
  readonly onStatus: (status: RuntimeStatus, findings: readonly Finding[]) => void;
}

const LOOK_EVERY_MS = 100;

/** Waits until everything in a mesh is ready, or until that is not to be expected any more. */
export const waitUntilReady = async (settings: WaitSettings): Promise<UpOutcome> => {
  let end: RuntimeEnd | undefined;
  void settings.exited.then((value) => {
    end = value;
  });
  let last: { readonly status: RuntimeStatus; readonly findings: readonly Finding[] } | undefined;
  for (const deadline = Date.now() + settings.timeoutMs; Date.now() < deadline;) {
    const answer = await settings.client.json<RuntimeStatus>("/status");
    if (end !== undefined) return { kind: "ended", end };
    if (answer.ok && answer.value.instance === settings.instance) {
      last = { status: answer.value, findings: diagnose(answer.value, Date.now()) };
      settings.onStatus(last.status, last.findings);
      const kind = verdict(last.status, last.findings);
      if (kind !== undefined) return { kind, ...last };
    }
    await delay(LOOK_EVERY_MS);
  }
  return { kind: "unwell", status: last?.status, findings: last?.findings ?? [] };
};

/** Undefined while there is something to wait for. */
export const verdict = (status: RuntimeStatus, findings: readonly Finding[]): "ready" | "unwell" | undefined => {
  const problems = findings.filter(({ severity }) => severity === "problem");
  if (isCrashing(status)) return "unwell";
  if (status.phase !== "running" || problems.some(({ lasting }) => lasting !== true)) return undefined;
  return problems.length === 0 ? "ready" : "unwell";
};
