import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { address } from "../testing/inventory-examples.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { AddressBook } from "./address-book.ts";

const file = (): string => join(temporaryFolder(), "addresses.json");

test("a pod and a service keep their addresses over a restart", () => {
  const path = file();
  const before = new AddressBook(path);
  before.placeOfPod("shop/other", 1);
  const pod = unwrap(before.placeOfPod("shop/web-0", 1));
  const service = unwrap(before.addressesOfService("shop/web", []));
  const after = new AddressBook(path);
  expect(unwrap(after.placeOfPod("shop/web-0", 1))).toEqual(pod);
  expect(unwrap(after.addressesOfService("shop/web", []))).toEqual(service);
  expect(after.nodeOfPod("shop/web-0")).toBe(1);
});

test("a pod that moves to another node gives its old address back", () => {
  const book = new AddressBook(file());
  book.placeOfPod("shop/web-0", 1);
  expect(unwrap(book.placeOfPod("shop/web-0", 2)).addresses.ipv4).toBe("10.244.2.10");
  expect(book.nodeOfPod("shop/web-0")).toBe(2);
});

test("what is no longer declared gives its address back, and it goes to somebody else last", () => {
  const book = new AddressBook(file());
  book.placeOfPod("shop/old", 1);
  book.addressesOfService("shop/old", []);
  book.keepOnly(new Set(), new Set());
  expect(book.nodeOfPod("shop/old")).toBeUndefined();
  expect(book.serviceAddressesGiven("shop/old")).toBeUndefined();
  expect(unwrap(book.placeOfPod("shop/new", 1)).number).toBe(11);
});

test("an address that a service declares is given to no other", () => {
  const book = new AddressBook(file());
  expect(unwrap(book.addressesOfService("shop/web", [address("10.96.0.16")])).ipv4).toBe("10.96.0.17");
  expect(unwrap(book.addressesOfService("shop/web", [address("fd00:10:96::11")])).ipv4).toBe("10.96.0.18");
});

test("a node without a free address says so, and what helps", () => {
  const book = new AddressBook(file());
  for (let count = 0; count < 245; count++) unwrap(book.placeOfPod(`shop/${count}`, 1));
  const refused = book.placeOfPod("shop/one-more", 1);
  expect(refused.ok ? "" : refused.error).toBe("node-1: all 245 addresses are taken; start the mesh with more --nodes");
});

test("a file that nobody can read makes a new beginning", () => {
  const path = file();
  writeFileSync(path, "{ half");
  expect(unwrap(new AddressBook(path).placeOfPod("shop/web-0", 1)).number).toBe(10);
});
