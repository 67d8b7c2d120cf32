import { readFileSync } from "node:fs";

/** What the code that took over a worker is to do, as the test writes it beside that code. */
export interface HostileOrders {
  /** `escape`: try everything on the machine. The others are attacks on the supervisor by its channel. */
  readonly attack: "escape" | ChannelAttack;
  /** Paths to files and sockets of the mesh that are none of a worker's business. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly sockets: Readonly<Record<string, string>>;
  /** Paths where nothing may be written. */
  readonly writable: Readonly<Record<string, string>>;
  /** Path of a pod's network namespace. */
  readonly namespace: string;
  /** Addresses and ports where somebody listens. */
  readonly addresses: readonly (readonly [address: string, port: number])[];
}

export type ChannelAttack = "flood" | "greed" | "descriptors" | "garbage" | "half a record";

export const ORDERS_FILE = "hostile-orders.json";

export const readOrders = (folder: string): HostileOrders =>
  JSON.parse(readFileSync(`${folder}/${ORDERS_FILE}`, "utf8")) as HostileOrders;
