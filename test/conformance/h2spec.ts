/**
 * Holds our HTTP/2 against h2spec, in strict mode: our server against h2spec, and our client against h2specd where that stands
 * beside it. Builds of both: https://github.com/summerwind/h2spec.
 *
 *     npm run conformance:h2spec -- PATH_TO_H2SPEC [SECTION ...]
 *
 * Exits with 1 if a case fails that is not obsolete.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv, execPath, exit, stderr, stdout } from "node:process";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";

/** A client is started anew for each case. */
const SECONDS_FOR_A_CASE = { server: "1", client: "4" };
const FIRST_CLIENT_PORT = "31000";

/** Cases of RFC 7540 that RFC 9113 section 5.3.2 took back: priorities are not looked at, so no dependency can be wrong. */
const OBSOLETE: ReadonlyMap<string, string> = new Map([
  ["http2/5.3.1/1", "RFC 9113 section 5.3.2: a HEADERS frame that depends on itself"],
  ["http2/5.3.1/2", "RFC 9113 section 5.3.2: a PRIORITY frame that depends on itself"],
]);

interface Report {
  /** `http2/5.3.1/1`. */
  readonly failed: readonly string[];
  /** Its last line, which counts. */
  readonly summary: string | undefined;
}

const run = async (): Promise<boolean> => {
  const [, , tool, ...sections] = argv;
  if (!tool || !existsSync(tool)) {
    stderr.write("usage: npm run conformance:h2spec -- PATH_TO_H2SPEC [SECTION ...]\n");
    return false;
  }
  const server = spawn(execPath, [join(import.meta.dirname, "http2-server.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(server.stdout), "line")) as [string];
  const port = line.replace("listening ", "");
  const strict = (role: "server" | "client") => [
    "--host",
    "127.0.0.1",
    "--strict",
    "--timeout",
    SECONDS_FOR_A_CASE[role],
  ];
  const ofServer = await reportOf(spawn(tool, [...strict("server"), "--port", port, ...sections]));
  server.kill();
  const isServerRight = judge("server", ofServer);
  const clientTool = join(dirname(tool), "h2specd");
  if (sections.length > 0) return isServerRight;
  if (!existsSync(clientTool)) {
    stdout.write(`client: not tested, there is no ${clientTool}\n`);
    return isServerRight;
  }
  const exec = `${execPath} ${join(import.meta.dirname, "http2-client.ts")}`;
  const ofClient = await reportOf(
    spawn(clientTool, [...strict("client"), "--from-port", FIRST_CLIENT_PORT, "--exec", exec]),
  );
  return judge("client", ofClient) && isServerRight;
};

/**
 * Reads what both tools print: a line for each group and case, indented; then the failures again, and a line that counts.
 *
 *     Hypertext Transfer Protocol Version 2 (HTTP/2)     a specification
 *       6. Frame Definitions                             a section, and one within it
 *         6.7. PING
 *           × 1: Sends a PING frame                      a case that failed; ✔ one that passed
 *     147 tests, 145 passed, 0 skipped, 2 failed
 */
const reportOf = async (child: ChildProcess): Promise<Report> => {
  if (!child.stdout) throw new Error("h2spec has no output");
  const failed = new Set<string>();
  let specification = "";
  let section = "";
  let summary: string | undefined;
  for await (const raw of createInterface(child.stdout)) {
    const line = stripVTControlCharacters(raw).split("\r").at(-1) ?? "";
    specification = SPECIFICATIONS.find(([title]) => line.startsWith(title))?.[1] ?? specification;
    section = /^\s+(\d+(?:\.\d+)*)\.\s/.exec(line)?.[1] ?? section;
    const [, number] = /^\s+× (\d+): /.exec(line) ?? [];
    if (number !== undefined) failed.add(`${specification}/${section}/${number}`);
    if (/^\d+ tests, /.test(line)) summary = line;
    // h2specd does not stop talking of its closed ports, and needs not be waited for.
    if (summary) child.kill();
  }
  return { failed: [...failed], summary };
};

const SPECIFICATIONS: readonly (readonly [title: string, name: string])[] = [
  ["Generic tests", "generic"],
  ["Hypertext Transfer Protocol Version 2", "http2"],
  ["HPACK", "hpack"],
];

const judge = (role: string, { failed, summary }: Report): boolean => {
  stdout.write(`${role}: ${summary ?? "no report"}\n`);
  for (const name of failed)
    stdout.write(`  ${OBSOLETE.has(name) ? `obsolete ${name} (${OBSOLETE.get(name)})` : `FAILED ${name}`}\n`);
  return summary !== undefined && failed.every((name) => OBSOLETE.has(name));
};

exit((await run()) ? 0 : 1);
