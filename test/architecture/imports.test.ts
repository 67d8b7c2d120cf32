import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Import, importsOf, isTestFile, sourceFiles, topFolder } from "./imports.ts";

const root = join(import.meta.dirname, "../..");

/** Who may import whom: other top folders, and npm packages. `node:` is open to all that do I/O. */
const TABLE: Readonly<Record<string, { readonly folders: readonly string[]; readonly packages: readonly string[] }>> = {
  mesh: { folders: [], packages: ["re2js"] },
  wire: { folders: [], packages: [] },
  certs: { folders: ["mesh"], packages: ["node-forge"] },
  api: { folders: [], packages: ["@bufbuild/protobuf", "@grpc/grpc-js"] },
  proxy: {
    folders: ["mesh", "wire", "certs", "api"],
    packages: ["@bufbuild/protobuf", "@grpc/grpc-js", "koffi", "pino"],
  },
  "control-plane": {
    folders: ["mesh", "certs", "api"],
    packages: ["@bufbuild/protobuf", "@grpc/grpc-js", "fastify", "jose", "pino", "yaml"],
  },
  local: { folders: ["mesh"], packages: ["koffi", "undici"] },
  cli: { folders: ["mesh", "local"], packages: ["commander", "undici"] },
};

/** Pure folders have no way to the outside at all. */
const PURE = ["mesh/", "wire/", "control-plane/derive/"];
const PURE_NODE_MODULES: ReadonlySet<string> = new Set(["node:crypto"]);

const STAGES = ["accept", "decrypt", "exchange", "guard", "route", "select", "upstream", "vitals"];

const all = sourceFiles(root);
const production = all.filter((file) => !isTestFile(file) && Object.hasOwn(TABLE, topFolder(file)));
const imports: readonly Import[] = production.flatMap((file) => importsOf(root, file));
const isLocal = (target: string): boolean => existsSync(join(root, topFolder(target))) && target.includes("/");
const breaches = (isAllowed: (each: Import) => boolean): readonly string[] =>
  imports.filter((each) => !isAllowed(each)).map(({ file, target }) => `${file} imports ${target}`);

test("the table speaks of files that exist, and finds their imports", () => {
  for (const folder of Object.keys(TABLE)) expect(production.some((file) => topFolder(file) === folder)).toBe(true);
  expect(imports.length).toBeGreaterThan(production.length);
});

test("a folder imports only the folders that stand beside it in the table", () => {
  const allowed = breaches(({ file, target }) => {
    const own = topFolder(file);
    return !isLocal(target) || topFolder(target) === own || target === "package.json" || allows(own, topFolder(target));
  });
  expect(allowed).toEqual([]);
});

const allows = (own: string, other: string): boolean => TABLE[own]?.folders.includes(other) ?? false;

test("a folder uses only the packages that were chosen for it", () => {
  const found = breaches(
    ({ file, target }) =>
      isLocal(target) ||
      target.startsWith("node:") ||
      target === "package.json" ||
      (TABLE[topFolder(file)]?.packages.includes(target) ?? false),
  );
  expect(found).toEqual([]);
});

test("pure folders import nothing of Node.js", () => {
  const found = breaches(
    ({ file, target }) =>
      !PURE.some((folder) => file.startsWith(folder)) ||
      !target.startsWith("node:") ||
      (file.startsWith("control-plane/derive/") && PURE_NODE_MODULES.has(target)),
  );
  expect(found).toEqual([]);
});

test("the supervisor loads node:, koffi, and what only does the same", () => {
  const reach = new Set<string>();
  const visit = (file: string): void => {
    if (reach.has(file)) return;
    reach.add(file);
    for (const { target } of importsOf(root, file)) if (isLocal(target)) visit(target);
  };
  visit("proxy/supervisor/main.ts");
  const foreign = [...reach].flatMap((file) =>
    importsOf(root, file).filter(({ target }) => !isLocal(target) && !target.startsWith("node:") && target !== "koffi"),
  );
  expect(foreign).toEqual([]);
  expect([...reach].filter((file) => !/^proxy\/(?:supervisor|kernel|channel)\//.test(file))).toEqual([]);
});

test("a stage of the worker never imports another stage; only the vitals are open to all", () => {
  const stageOf = (path: string): string | undefined =>
    STAGES.find((stage) => path.startsWith(`proxy/worker/${stage}/`));
  const found = breaches(({ file, target }) => {
    const [own, other] = [stageOf(file), stageOf(target)];
    return own === undefined || other === undefined || own === other || other === "vitals";
  });
  expect(found).toEqual([]);
});

test("production code never imports tests", () => {
  expect(breaches(({ target }) => !isLocal(target) || !isTestFile(target))).toEqual([]);
});
