import { expect, test } from "vitest";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import { readDeclaredObject } from "./declared-object.ts";
import { type FileObjects, nextFileObjects, unreadableFile } from "./file-objects.ts";
import { DEFAULT_FOLDER_LIMITS } from "./folder-limits.ts";
import { readFileObjects } from "./read-file-objects.ts";

const service = (name: string, port: number | string = 80) =>
  `apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;

const read = async (text: string): Promise<FileObjects<MeshObject>> =>
  readFileObjects("a.yaml", text, readDeclaredObject, DEFAULT_FOLDER_LIMITS);

/** What is in force after these texts of one file, one after the other; and what is said of the last. */
const after = async (...texts: readonly string[]) => {
  let state: FileObjects<MeshObject> | undefined;
  for (const text of texts) state = nextFileObjects(state, await read(text));
  return state as FileObjects<MeshObject>;
};

const inForce = ({ inForce }: FileObjects<MeshObject>) =>
  Object.fromEntries(
    [...inForce].map(([key, { item }]) => [key, item.kind === "Service" ? item.ports[0]?.port : undefined]),
  );

const reports = (file: FileObjects<MeshObject>) =>
  file.reports.map(({ named, source, problems, warnings }) => ({
    name: named.name,
    source,
    said: [...problems.map(({ path, message }) => `${path}: ${message}`), ...warnings],
  }));

test("a good file puts in force what it has, and nothing else", async () => {
  expect(inForce(await after(`${service("a")}---\n${service("b")}`, service("b", 81)))).toEqual({
    "Service shop/b": 81,
  });
});

test("a document that does not validate keeps the last good version of its object, and says what is wrong", async () => {
  const file = await after(service("a"), service("a", 99_999));
  expect(inForce(file)).toEqual({ "Service shop/a": 80 });
  expect(reports(file)).toEqual([
    { name: "a", source: "a.yaml#1", said: ["spec.ports[0].port: must be a whole number from 1 to 65535, not 99999"] },
  ]);
});

test("while one document is bad the others apply, and nothing that the file had is removed", async () => {
  const file = await after(
    `${service("a")}---\n${service("b")}---\n${service("c")}`,
    `${service("a", 81)}---\nkind: "\n---\n${service("d")}`,
  );
  expect(inForce(file)).toEqual({
    "Service shop/a": 81,
    "Service shop/b": 80,
    "Service shop/c": 80,
    "Service shop/d": 80,
  });
  const kept = reports(file).filter(({ said }) => said.some((text) => text.includes("no longer in its file")));
  expect(kept.map(({ name }) => name)).toEqual(["b", "c"]);
});

test.each([
  ["empty", ""],
  ["nothing but comments", "# later\n---\n# perhaps\n"],
  ["cut off in the middle of a word", "apiVersion: v1\nkind: Serv"],
])("a file that is %s removes nothing", async (_, text) => {
  expect(inForce(await after(service("a"), text))).toEqual({ "Service shop/a": 80 });
});

test("a repaired file is taken as it is again", async () => {
  expect(inForce(await after(`${service("a")}---\n${service("b")}`, "kind: [", service("b")))).toEqual({
    "Service shop/b": 80,
  });
});

test("objects of kinds that the mesh does not read are good, and said to be ignored", async () => {
  const file = await after(service("a"), "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n");
  expect(inForce(file)).toEqual({});
  expect(reports(file)).toEqual([
    { name: "web", source: "a.yaml#1", said: ["ignored: the mesh does not read objects of kind Deployment"] },
  ]);
});

test("an object twice in one file counts once, and the second says where the first is", async () => {
  const file = await after(`${service("a")}---\n${service("a", 81)}`);
  expect(inForce(file)).toEqual({ "Service shop/a": 80 });
  expect(reports(file)[1]?.said).toEqual(["metadata.name: is already declared in a.yaml#1"]);
});

test("a problem inside a List names the item", async () => {
  const list = { apiVersion: "v1", kind: "List", items: [{ apiVersion: "v1", kind: "Service", metadata: {} }] };
  expect(reports(await after(JSON.stringify(list)))).toEqual([
    {
      name: "a.yaml#1 items[0]",
      source: "a.yaml#1",
      said: ["items[0].metadata.name: is required"],
    },
  ]);
});

test.each([
  ["text", '"web"', ': must be an object, not "web"'],
  ["a list", "[1]", ": must be an object, not a list"],
  ["an object without a kind", "apiVersion: v1\nmetadata: {name: a}", "kind: is required"],
  ["a kind alone", "apiVersion: v1\nkind: Serv", "metadata: is required"],
])("%s is no object", async (_, text, problem) => {
  expect(reports(await after(text))[0]?.said[0]).toContain(problem);
});

test("a file that cannot be read keeps everything it had", async () => {
  const file = nextFileObjects(await after(service("a")), unreadableFile("a.yaml", "cannot be read: EACCES"));
  expect(inForce(file)).toEqual({ "Service shop/a": 80 });
  expect(reports(file)[0]).toEqual({ name: "a.yaml", source: "a.yaml", said: [": a.yaml cannot be read: EACCES"] });
});
