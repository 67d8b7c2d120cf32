import { chmodSync, copyFileSync, cpSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type HostileOrders, ORDERS_FILE } from "./orders.ts";

const PROGRAM = dirname(dirname(dirname(import.meta.dirname)));
const COPIED = ["proxy", "mesh", "wire", "certs", "api", "package.json"];
const HOSTILE = ["escape-attempts.ts", "channel-attacks.ts", "orders.ts", "worker.ts"];

export interface HostileTreeOptions {
  /** Leaves out that the worker has the kernel refuse calls, to see what holds without it. */
  readonly isUnconfined?: boolean;
}

/** A copy of the project's tree in which a worker, once it is as confined as ever, runs what the orders say. @returns its path */
export const hostileTree = (
  folder: string,
  orders: HostileOrders,
  { isUnconfined }: HostileTreeOptions = {},
): string => {
  const tree = join(folder, "hostile-tree");
  mkdirSync(tree);
  for (const name of COPIED) cpSync(join(PROGRAM, name), join(tree, name), { recursive: true });
  symlinkSync(join(PROGRAM, "node_modules"), join(tree, "node_modules"));
  const worker = join(tree, "proxy/worker");
  renameSync(join(worker, "worker.ts"), join(worker, "honest-worker.ts"));
  for (const name of HOSTILE) copyFileSync(join(import.meta.dirname, name), join(worker, name));
  writeFileSync(join(worker, ORDERS_FILE), JSON.stringify(orders));
  if (isUnconfined) {
    writeFileSync(
      join(tree, "proxy/kernel/confinement.ts"),
      "export const confineWorker = () => {}; export const confineAgent = () => {};",
    );
  }
  chmodSync(tree, 0o755);
  return tree;
};
