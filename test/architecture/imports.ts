import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** One import of one file. `target`: a path of this repository, `node:...`, or the name of an npm package. */
export interface Import {
  readonly file: string;
  readonly target: string;
}

/** Files of the repository that this table speaks of: sources, without what is generated. */
export const sourceFiles = (root: string): readonly string[] =>
  globSync("**/*.ts", { cwd: root, exclude: (path) => path.includes("node_modules") || path.startsWith("api/gen") })
    .map((path) => path.replaceAll("\\", "/"))
    .sort();

/** Tests and benchmarks, and what only they use. */
export const isTestFile = (file: string): boolean =>
  file.endsWith(".test.ts") || file.includes("/testing/") || file.startsWith("test/") || file.startsWith("bench/");

/** `import "x"`, `import … from "x"` and `export … from "x"`, over several lines too; the formatter starts each on a line. */
const STATIC_IMPORT = /^(?:import\s*|(?:import|export)\b[^;"=]*\bfrom\s*)"([^"\n]+)"/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*"([^"\n]+)"/g;

/** Every static, dynamic and type-only import of a file. */
export const importsOf = (root: string, file: string): readonly Import[] => {
  const source = readFileSync(join(root, file), "utf8").replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
  const specifiers = [...source.matchAll(STATIC_IMPORT), ...source.matchAll(DYNAMIC_IMPORT)];
  return specifiers.map(([, specifier = ""]) => ({ file, target: resolve(file, specifier) }));
};

const resolve = (file: string, specifier: string): string => {
  if (specifier.startsWith("#")) return specifier.slice(1);
  if (specifier.startsWith(".")) return normalize(join(dirname(file), specifier));
  if (specifier.startsWith("node:")) return specifier;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
};

/** The top folder of a path in this repository. */
export const topFolder = (path: string): string => path.split("/")[0] ?? "";
