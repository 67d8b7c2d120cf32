import { readFileSync } from "node:fs";
import type { IpAddress } from "#mesh/ip-address.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { writeAtomically } from "../state/write-atomically.ts";
import {
  type AddressPair,
  POD_NUMBERS,
  podAddresses,
  SERVICE_NUMBERS,
  serviceAddresses,
  serviceNumber,
} from "./address-plan.ts";
import { emptyPool, keepNumbers, type NumberPool, takeNumber } from "./number-pool.ts";

/** What the file holds. Another version is not understood, and everybody gets new addresses. */
interface Pages {
  readonly version: 1;
  readonly services: NumberPool;
  /** By the number of the node. */
  readonly pods: Readonly<Record<string, NumberPool>>;
}

/** Where a pod lives. */
export interface PodPlace {
  readonly node: number;
  readonly number: number;
  readonly addresses: AddressPair;
}

/** The addresses of pods and services, kept in a file: who is declared keeps what it has, over restarts too. */
export class AddressBook {
  readonly #path: string;
  #pages: Pages;

  constructor(path: string) {
    this.#path = path;
    this.#pages = readPages(path);
  }

  /** The place of a pod on a node; a pod that moves gives its old place back. */
  placeOfPod(key: string, node: number): Result<PodPlace, string> {
    const pool = this.#pages.pods[node] ?? emptyPool(POD_NUMBERS);
    const taken = takeNumber(pool, POD_NUMBERS, key);
    if (!taken.ok) return err(`node-${node}: ${taken.error}; start the mesh with more --nodes`);
    const elsewhere = Object.entries(this.#pages.pods).filter(([other]) => Number(other) !== node);
    const others = elsewhere.map(([other, pages]) => [other, without(pages, key)] as const);
    this.#save({ ...this.#pages, pods: { ...Object.fromEntries(others), [node]: taken.value.pool } });
    return ok({ node, number: taken.value.number, addresses: podAddresses(node, taken.value.number) });
  }

  /** The node that a pod was on before. */
  nodeOfPod(key: string): number | undefined {
    const found = Object.entries(this.#pages.pods).find(([, pool]) => Object.hasOwn(pool.taken, key));
    return found && Number(found[0]);
  }

  /** The addresses that a service was given. */
  serviceAddressesGiven(key: string): AddressPair | undefined {
    const number = Object.hasOwn(this.#pages.services.taken, key) ? this.#pages.services.taken[key] : undefined;
    return number === undefined ? undefined : serviceAddresses(number);
  }

  /** A service's addresses, none of them in `declared`, the addresses that other services ask for by name. */
  addressesOfService(key: string, declared: Iterable<IpAddress>): Result<AddressPair, string> {
    const avoided = new Set([...declared].map(serviceNumber).filter((number) => number !== undefined));
    const taken = takeNumber(this.#pages.services, SERVICE_NUMBERS, key, avoided);
    if (!taken.ok) return err(taken.error);
    this.#save({ ...this.#pages, services: taken.value.pool });
    return ok(serviceAddresses(taken.value.number));
  }

  /** Gives back what belongs to nobody in these lists. */
  keepOnly(pods: ReadonlySet<string>, services: ReadonlySet<string>): void {
    const kept = Object.entries(this.#pages.pods).map(([node, pool]) => [node, keepNumbers(pool, pods)] as const);
    this.#save({
      version: 1,
      services: keepNumbers(this.#pages.services, services),
      pods: Object.fromEntries(kept),
    });
  }

  #save(pages: Pages): void {
    const text = JSON.stringify(pages, undefined, 2);
    if (text !== JSON.stringify(this.#pages, undefined, 2)) writeAtomically(this.#path, `${text}\n`);
    this.#pages = pages;
  }
}

const readPages = (path: string): Pages => {
  const empty: Pages = { version: 1, services: emptyPool(SERVICE_NUMBERS), pods: {} };
  try {
    const pages = JSON.parse(readFileSync(path, "utf8")) as Partial<Pages>;
    return pages.version === 1 && pages.services && pages.pods ? (pages as Pages) : empty;
  } catch {
    return empty;
  }
};

const without = (pool: NumberPool, key: string): NumberPool => {
  const others = Object.keys(pool.taken).filter((other) => other !== key);
  return keepNumbers(pool, new Set(others));
};
