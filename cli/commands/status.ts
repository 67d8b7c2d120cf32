import type { Command } from "commander";
import type { RuntimeStatus } from "#local/status.ts";
import { commandLine } from "#local/command-line.ts";
import { diagnose } from "../diagnosis.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { findingsText } from "../findings-text.ts";
import { type ChosenMesh, chooseMesh } from "../mesh-choice.ts";
import { good } from "../output/colours.ts";
import { type OutputFormat, outputOption, printJson, printText } from "../output/output-format.ts";
import { meshLine, nodesTable, podsTable } from "../status-tables.ts";

interface StatusOptions {
  readonly name?: string;
  readonly output: OutputFormat;
}

const EXAMPLES = `
Examples:
  heddle status                     the mesh that is up
  heddle status --name blue         one of several
  heddle status -o json             everything there is to know, for a program

Exit codes:
  0  all is well      3  something is not as it should be      4  no such mesh is up`;

export const addStatusCommand = (program: Command): void => {
  program
    .command("status")
    .description("show nodes, pods, capture, identities and configuration, and say what is wrong")
    .option("--name <name>", "which mesh, if several are up")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(status);
};

/** @throws CliFailure if the runtime does not answer */
export const fetchStatus = async ({ name, client }: ChosenMesh): Promise<RuntimeStatus> => {
  const answer = await client.json<RuntimeStatus>("/status");
  if (answer.ok) return answer.value;
  throw new CliFailure(`mesh ${name} does not tell its status: ${answer.error}`, {
    hint: commandLine(name, "logs", "--runtime"),
  });
};

const status = async (options: StatusOptions): Promise<void> => {
  const mesh = await chooseMesh(options.name);
  const found = await fetchStatus(mesh);
  await mesh.client.close();
  const now = Date.now();
  const findings = diagnose(found, now);
  const isWell = findings.every(({ severity }) => severity === "notice");
  if (options.output === "json") {
    printJson({ ...found, findings });
  } else {
    printText([meshLine(found, now), nodesTable(found), podsTable(found, now)].join("\n\n"));
    printText(`\n${findings.length === 0 ? good("All is well.") : findingsText(findings)}`);
  }
  if (!isWell) process.exitCode = EXIT.unwell;
};
