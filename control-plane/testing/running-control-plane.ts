import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock } from "#mesh/clock.ts";
import { unwrap } from "#mesh/result.ts";
import { formatSocketAddress } from "#mesh/socket-address.ts";
import { ControlPlane, type Surroundings } from "../control-plane.ts";
import { readSettings, type Settings } from "../settings.ts";
import { AdminClient } from "./admin-client.ts";
import { MemorySource } from "./memory-source.ts";
import { memoryLog } from "./memory-log.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** A control plane in this process, on loopback, and what a test needs to talk to it. */
export interface RunningControlPlane {
  readonly admin: AdminClient;
  readonly settings: Settings;
  /** `127.0.0.1:<port>`. */
  readonly target: string;
  readonly log: ReturnType<typeof memoryLog>;
  readonly stop: () => Promise<void>;
}

/** The environment of a control plane that keeps everything in one directory. */
export const environmentIn = (directory: string): Record<string, string> => ({
  HEDDLE_OBJECTS_DIR: join(directory, "objects"),
  HEDDLE_ASSIGNED_DIR: join(directory, "assigned"),
  HEDDLE_CA_DIR: join(directory, "ca"),
  HEDDLE_PUBLIC_DIR: join(directory, "public"),
  HEDDLE_STATUS_DIR: join(directory, "status"),
  HEDDLE_LISTEN: "127.0.0.1:0",
  HEDDLE_ADMIN_SOCKET: join(directory, "admin.sock"),
});

/** Starts one, and stops it when the test is over. */
export const startControlPlane = async (
  options: Partial<Omit<Surroundings, "log">> & {
    readonly directory?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<RunningControlPlane> => {
  const { directory = temporaryDirectory(), env = {}, clock = systemClock, source = new MemorySource() } = options;
  const settings = unwrap(readSettings({ ...environmentIn(directory), ...env }));
  const log = memoryLog();
  const controlPlane = unwrap(await ControlPlane.start(settings, { source, clock, log }));
  const admin = new AdminClient(settings.adminSocket);
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await controlPlane.stop();
  };
  onTestFinished(stop);
  if (!controlPlane.address) throw new Error("the control plane has no address");
  return { admin, settings, target: formatSocketAddress(controlPlane.address), log, stop };
};
