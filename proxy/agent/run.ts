import pino from "pino";
import { systemClock } from "#mesh/clock.ts";
import { encodeAgentRecord } from "../channel/agent-record.ts";
import { wholeMessage } from "../channel/descriptor-channel.ts";
import { openSupervisorChannel } from "../channel/supervisor-channel.ts";
import { confineAgent } from "../kernel/confinement.ts";
import { OPEN_FILES_REMEDY } from "../kernel/open-files.ts";
import { keepSpareDescriptors } from "../kernel/spare-descriptors.ts";
import { Agent } from "./agent.ts";
import { Endpoints } from "./http-endpoints.ts";
import { readSettings } from "./settings.ts";

/** Other processes of the node write to the same pipe: what is not longer than this arrives in one piece (PIPE_BUF). */
const MAX_WRITE_BYTES = 4096;
/** Lines that wait for a reader that does not read; beyond it they are lost. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

const fail = (error: unknown): never => {
  process.stderr.write(`heddle agent: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
};

try {
  const settings = readSettings(process.env);
  confineAgent();
  const destination = pino.destination({
    dest: 1,
    sync: false,
    maxWrite: MAX_WRITE_BYTES,
    maxLength: MAX_WAITING_BYTES,
  });
  const logger = pino({ level: settings.logLevel, base: { process: "agent", node: settings.node } }, destination);
  keepSpareDescriptors((what) => {
    if (what === "enough") logger.info("the agent has file descriptors again");
    else
      logger.error(
        `no file descriptor is left: nobody can ask this agent for metrics or status, nor it the control plane; ${OPEN_FILES_REMEDY}`,
      );
  });
  const endpoints = new Endpoints();
  const agent = new Agent(settings, logger, systemClock, Math.random, {
    endWorker: ({ index, pid }) => supervisor.write(encodeAgentRecord({ kind: "end-worker", index, pid })),
    alive: () => supervisor.write(encodeAgentRecord({ kind: "alive" })),
    synced: () => supervisor.write(encodeAgentRecord({ kind: "synced" })),
    serve: () => void endpoints.open(agent).catch(fail),
    retire: () => endpoints.close(),
  });
  const supervisor = openSupervisorChannel(
    (message) => agent.onMessage(wholeMessage(message)),
    () => process.exit(0),
  );
  agent.start();
  logger.info({ pid: process.pid }, "agent is up");
} catch (error) {
  fail(error);
}
