import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { addCertsCommand } from "./commands/certs.ts";
import { addDownCommand } from "./commands/down.ts";
import { addExecCommand } from "./commands/exec.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addLogsCommand } from "./commands/logs.ts";
import { addRoutesCommand } from "./commands/routes.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addUpCommand } from "./commands/up.ts";
import { addUpgradeCommand } from "./commands/upgrade.ts";
import { CliFailure, EXIT } from "./failure.ts";
import { bad, dim } from "./output/colours.ts";
import { endUnread, outputTaken, whenUnread } from "./output/unread-output.ts";

const EXAMPLES = `
Examples:
  heddle up examples/first-mesh -d
  heddle exec shop/client -- curl -s http://web/
  heddle status
  heddle down

Exit codes:
  0  done      1  it could not be done      2  the command line is wrong      3  the mesh is up, but not all is well
  4  no such mesh is up      125  heddle exec could not start the command`;

/** The `heddle` command with all its subcommands. */
export const heddleCommand = (): Command => {
  const program = new Command("heddle")
    .description("A service mesh without sidecars, on this machine: nodes and pods from namespaces and processes")
    .version(version(), "-V, --version", "show the version")
    .addHelpText("after", EXAMPLES);
  // Settings are inherited only by what is added after them.
  program.exitOverride().configureOutput({ outputError: (text, write) => write(text) });
  addUpCommand(program);
  addDownCommand(program);
  addStatusCommand(program);
  addExecCommand(program);
  addLogsCommand(program);
  addRoutesCommand(program);
  addExplainCommand(program);
  addCertsCommand(program);
  addUpgradeCommand(program);
  return program;
};

/** Runs a command line. What people can do something about is said on standard error, without a stack. */
export const runHeddle = async (args: readonly string[]): Promise<void> => {
  try {
    await heddleCommand().parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    } else if (error instanceof CliFailure) {
      process.stderr.write(`${bad("heddle:")} ${error.message}\n`);
      if (error.hint !== undefined) process.stderr.write(dim(`  try: ${error.hint}\n`));
      process.exitCode = error.exitCode;
    } else if (error instanceof Error && "syscall" in error) {
      // What the system refuses, as in EACCES, is named by its message; where in the code it was asked does not help.
      process.stderr.write(`${bad("heddle:")} ${error.message}\n`);
      process.exitCode = EXIT.failed;
    } else {
      throw error;
    }
  }
};

const version = (): string => {
  const file = readFileSync(join(import.meta.dirname, "../package.json"), "utf8");
  return (JSON.parse(file) as { readonly version: string }).version;
};

if (import.meta.main) {
  whenUnread(endUnread);
  await runHeddle(process.argv.slice(2));
  await outputTaken();
  // A command that was interrupted may have left a connection open.
  process.exit();
}
