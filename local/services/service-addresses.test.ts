import { join } from "node:path";
import { expect, test } from "vitest";
import type { InventoryService } from "#mesh/admin/inventory.ts";
import { AddressBook } from "../addresses/address-book.ts";
import { address, exampleService } from "../testing/inventory-examples.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { addressServices } from "./service-addresses.ts";

const newBook = (): AddressBook => new AddressBook(join(temporaryFolder(), "addresses.json"));

const service = (name: string, addresses: readonly string[], rest: Partial<InventoryService> = {}) =>
  exampleService({ name, addresses: addresses.map(address), ...rest });

test("a service without an address gets one of each family", () => {
  const { services, assigned } = addressServices([service("web", [])], newBook(), true);
  expect(services[0]?.addresses).toEqual(["10.96.0.16", "fd00:10:96::10"]);
  expect(assigned).toEqual([{ namespace: "shop", name: "web", addresses: ["10.96.0.16", "fd00:10:96::10"] }]);
});

test("without IPv6 it gets one", () => {
  expect(addressServices([service("web", [])], newBook(), false).services[0]?.addresses).toEqual(["10.96.0.16"]);
});

test("a service that asks for one family gets no address of the other", () => {
  const services = [service("four", [], { ipFamilies: [4] }), service("six", [], { ipFamilies: [6] })];
  const { assigned } = addressServices(services, newBook(), true);
  expect(assigned.map(({ addresses }) => addresses)).toEqual([["10.96.0.16"], ["fd00:10:96::11"]]);
});

test("what a service declares is its own, and nobody else's", () => {
  const { services, assigned } = addressServices(
    [service("web", []), service("fixed", ["10.96.0.16"])],
    newBook(),
    true,
  );
  expect(services.map(({ addresses }) => addresses[0])).toEqual(["10.96.0.17", "10.96.0.16"]);
  expect(assigned.map(({ name }) => name)).toEqual(["web"]);
});

test("an address that it was given before is given again, though the control plane lists it by now", () => {
  const book = newBook();
  addressServices([service("web", [])], book, true);
  const again = addressServices([service("web", ["10.96.0.16", "fd00:10:96::10"])], book, true);
  expect(again.assigned).toHaveLength(1);
});

test("a headless service and one that is only a name get none", () => {
  const headless = service("web", [], { headless: true, wantsAddress: false });
  expect(addressServices([headless], newBook(), true).assigned).toEqual([]);
});
