import type { RuntimeStatus } from "#local/status.ts";
import { commandLine } from "#local/command-line.ts";
import type { Finding } from "./diagnosis.ts";
import { findingsText } from "./findings-text.ts";
import { bold, dim, doubtful, good } from "./output/colours.ts";
import { type OutputFormat, printJson, printText } from "./output/output-format.ts";
import { type ProgressEvent, progressBetween } from "./progress.ts";
import { podsTable } from "./status-tables.ts";
import type { UpOutcome } from "./wait-until-ready.ts";

/** Tells how a mesh comes up: in lines for people, or in events for programs. A terminal sees what is waited for, too. */
export class UpReporter {
  readonly #format: OutputFormat;
  readonly #name: string;
  #before: RuntimeStatus | undefined;

  constructor(format: OutputFormat, name: string) {
    this.#format = format;
    this.#name = name;
  }

  starting(objects: string, nodes: number): void {
    if (this.#format === "json") printJson({ event: "starting", name: this.#name, objects, nodes });
    else printText(`starting mesh ${bold(this.#name)} with ${nodes} node${nodes === 1 ? "" : "s"} from ${objects}`);
  }

  status(status: RuntimeStatus, findings: readonly Finding[]): void {
    for (const event of progressBetween(this.#before, status)) this.#progress(event);
    this.#before = status;
    const waiting = findings.find(({ severity }) => severity === "problem");
    if (waiting !== undefined) this.#transient(dim(`  waiting: ${waiting.about}: ${waiting.text}`));
  }

  outcome(outcome: Exclude<UpOutcome, { readonly kind: "ended" }>, isAttached: boolean): void {
    this.#transient("");
    const { kind, status, findings } = outcome;
    if (this.#format === "json") {
      printJson({ event: kind === "ready" ? "ready" : "not-ready", name: this.#name, findings, status });
      return;
    }
    if (status !== undefined) printText(`\n${podsTable(status, Date.now())}\n`);
    if (findings.length > 0) printText(`${findingsText(findings)}\n`);
    const state = kind === "ready" ? good("is up") : doubtful("is up, but not all of it is ready");
    printText(`mesh ${bold(this.#name)} ${state}\n${this.#nextSteps(status, isAttached)}`);
  }

  stopping(): void {
    this.#transient("");
    if (this.#format === "json") printJson({ event: "stopping", name: this.#name });
    else printText(`\nstopping mesh ${this.#name}`);
  }

  stopped(): void {
    if (this.#format === "json") printJson({ event: "stopped", name: this.#name });
    else printText(`mesh ${this.#name} is down`);
  }

  #progress(event: ProgressEvent): void {
    this.#transient("");
    if (this.#format === "json") printJson(event);
    else printText(`  ${good("ok")}  ${progressText(event)}`);
  }

  #nextSteps(status: RuntimeStatus | undefined, isAttached: boolean): string {
    const pods = (status?.pods ?? []).filter(({ ready }) => ready);
    const pod = pods.find(({ enrolled }) => enrolled) ?? pods[0];
    const steps: (readonly [string, string])[] = [[commandLine(this.#name, "status"), "how it is doing"]];
    if (pod) {
      const name = `${pod.namespace}/${pod.name}`;
      steps.unshift([commandLine(this.#name, "exec", "-it", name, "--", "sh"), "look around in a pod"]);
    }
    steps.push(isAttached ? ["Ctrl-C", "stop it"] : [commandLine(this.#name, "down"), "stop it"]);
    const width = Math.max(...steps.map(([command]) => command.length));
    return steps.map(([command, meaning]) => `  ${command.padEnd(width)}  ${dim(meaning)}`).join("\n");
  }

  /** A line that the next one replaces; only on a terminal. */
  #transient(text: string): void {
    if (this.#format === "json" || !process.stdout.isTTY) return;
    process.stdout.write(`\r\u001b[K${text.slice(0, process.stdout.columns)}`);
  }
}

const progressText = (event: ProgressEvent): string => {
  if (event.event === "control-plane") return "control plane";
  if (event.event === "node") return event.node;
  const where = `${event.node} ${event.addresses.join(" ")}`;
  return `pod ${event.pod}  ${dim(where)}${event.captured ? "" : dim("  not in the mesh")}`;
};
