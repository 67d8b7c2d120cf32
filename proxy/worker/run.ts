import { Socket } from "node:net";
import { makeStreamPair } from "../channel/descriptor-channel.ts";
import { confineWorker } from "../kernel/confinement.ts";
import { openFileLimit } from "../kernel/open-files.ts";
import { socketDescriptor } from "../kernel/socket-descriptor.ts";
import { readSettings } from "./settings.ts";
import { Worker } from "./worker.ts";

/** Says something to whoever reads the supervisor's log. */
const log = (message: string): void => {
  process.stderr.write(`${message}\n`);
};

/** The descriptor of a socket is read from a field that Node.js does not document: better to know at once. */
const testSocketDescriptor = (): void => {
  const [near, far] = makeStreamPair();
  const sockets = [new Socket({ fd: near }), new Socket({ fd: far })];
  if (socketDescriptor(sockets[0] ?? new Socket()) !== near) throw new Error("Node.js keeps descriptors elsewhere now");
  for (const socket of sockets) socket.destroy();
};

try {
  const settings = readSettings(process.env);
  testSocketDescriptor();
  const limit = openFileLimit();
  confineWorker();
  new Worker(settings, () => performance.now(), log, limit).start();
} catch (error) {
  log(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
}
