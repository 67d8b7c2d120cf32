import type { Command } from "commander";
import { commandLine } from "#local/command-line.ts";
import type { UpgradeEvent } from "#local/nodes/node-upgrade.ts";
import { DEFAULT_PACE, MAX_DRAIN_SECONDS, MAX_READY_SECONDS } from "#local/socket/upgrade-route.ts";
import { assertNever } from "#mesh/assert-never.ts";
import { CliFailure } from "../failure.ts";
import { linesOf } from "../lines.ts";
import { chooseMesh } from "../mesh-choice.ts";
import { good } from "../output/colours.ts";
import { type OutputFormat, outputOption, printJson, printText } from "../output/output-format.ts";
import { wholeNumber } from "../up-options.ts";

interface UpgradeOptions {
  readonly name?: string;
  readonly node?: string;
  readonly drainSeconds: number;
  readonly readySeconds: number;
  readonly output: OutputFormat;
}

const EXAMPLES = `
Examples:
  heddle upgrade                          every node, one after the other
  heddle upgrade --node node-1
  heddle upgrade --drain-seconds 300      for connections that live long
  heddle upgrade -o json                  one JSON object for each event

A new proxy (supervisor, agent, workers) is started from the project's tree as it is now, beside the old one, and gets
its sockets. It accepts when it is as ready as the old one is, which then accepts no more. What is open goes on until it
ends, or the time is up: then both sides see an end. Nobody is refused. Where the new one does not get ready the old one
goes on.

Exit codes:
  0  done      1  a node was not upgraded, and goes on as it was; those after it too      4  no such mesh is up`;

export const addUpgradeCommand = (program: Command): void => {
  program
    .command("upgrade")
    .description("replace the nodes' proxies by new ones, without refusing or cutting a connection")
    .option("--name <name>", "which mesh, if several are up")
    .option("--node <node>", "only this node")
    .option(
      "--drain-seconds <count>",
      "how long open connections may take to end by themselves",
      wholeNumber(MAX_DRAIN_SECONDS, 0),
      DEFAULT_PACE.drainSeconds,
    )
    .option(
      "--ready-seconds <count>",
      "how long a new proxy may take to be as ready as the old one",
      wholeNumber(MAX_READY_SECONDS),
      DEFAULT_PACE.readySeconds,
    )
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(upgrade);
};

const upgrade = async ({ name, node, drainSeconds, readySeconds, output }: UpgradeOptions): Promise<void> => {
  const mesh = await chooseMesh(name);
  const query = new URLSearchParams({
    drainSeconds: String(drainSeconds),
    readySeconds: String(readySeconds),
    ...(node !== undefined && { node }),
  });
  const events = await mesh.client.stream(`/upgrade?${query.toString()}`, "POST");
  if (!events.ok) {
    throw new CliFailure(`mesh ${mesh.name} is not upgraded: ${events.error}`, {
      hint: commandLine(mesh.name, "status"),
    });
  }
  let last: UpgradeEvent | undefined;
  for await (const line of linesOf(events.value)) {
    last = JSON.parse(line) as UpgradeEvent;
    if (output === "json") printJson(last);
    else if (last.event !== "failed") printText(eventText(last));
  }
  await mesh.client.close();
  if (last?.event === "done") return;
  const reason =
    last?.event === "failed" ? `${last.node} goes on as it was: ${last.reason}` : "the mesh has ended meanwhile";
  const hint = commandLine(mesh.name, "logs", ...(last === undefined ? ["--runtime"] : ["--node", last.node]));
  throw new CliFailure(reason, { hint });
};

const eventText = (event: Exclude<UpgradeEvent, { event: "failed" }>): string => {
  switch (event.event) {
    case "starting":
      return `${event.node}: starting a new proxy beside the old one`;
    case "serving":
      return `${event.node}: the new proxy serves`;
    case "draining": {
      const { connections, endsInMs } = event;
      const left = `${connections} connection${connections === 1 ? "" : "s"}`;
      return `${event.node}: the old one still has ${left}, for ${Math.ceil(endsInMs / 1000)} s at the most`;
    }
    case "done":
      return `${event.node}: ${good("done")}`;
    default:
      return assertNever(event);
  }
};
