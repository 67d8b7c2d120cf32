import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { TestMesh } from "./test-mesh.ts";

// Each starts a mesh and runs commands of seconds in it, on machines that may be busy.
vi.setConfig({ testTimeout: 300_000 });

const soon = { timeout: 60_000, interval: 500 };
const ROOT = join(import.meta.dirname, "../..");
const folderOf = (example: string): string => join(ROOT, "examples", example);

/** An example that is up, with a copy of its objects that a test may change. */
class ExampleMesh extends TestMesh {
  readonly #example: string;

  static async up(example: string): Promise<ExampleMesh> {
    const mesh = new ExampleMesh(example);
    onTestFinished(() => mesh.dispose());
    await mesh.upAndReady();
    return mesh;
  }

  private constructor(example: string) {
    const files = readdirSync(folderOf(example)).filter((file) => file.endsWith(".yaml"));
    super(Object.fromEntries(files.map((file) => [file, readFileSync(join(folderOf(example), file), "utf8")])));
    this.#example = example;
  }

  /** Changes a file of the example by replacing texts in it. */
  change(file: string, ...replacements: readonly (readonly [string, string])[]): void {
    let text = readFileSync(join(folderOf(this.#example), file), "utf8");
    for (const [before, after] of replacements) {
      expect(text).toContain(before);
      text = text.replace(before, after);
    }
    this.write(file, text);
  }

  /** Runs a command of the README as it stands there, for this mesh. @returns what it wrote */
  run(line: string): string {
    const command = line.replace(/^bin\/heddle ([a-z]+(?: request)?)/, `bin/heddle $1 --name ${this.name}`);
    return execFileSync("sh", ["-c", command], { cwd: ROOT, env: this.environment, encoding: "utf8" });
  }

  /** The commands of the README that look at the mesh or do something in it. */
  commands(): readonly string[] {
    const readme = readFileSync(join(folderOf(this.#example), "README.md"), "utf8");
    const blocks = [...readme.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block = ""]) => block);
    const lines = blocks.join("").split("\n");
    return lines.filter((line) => /^bin\/heddle (?:exec|explain|logs|routes)/.test(line));
  }

  /** The README's command with these words, run. */
  runFromReadme(...words: readonly string[]): string {
    const line = this.commands().find((command) => words.every((word) => command.includes(word)));
    if (line === undefined) throw new Error(`the README of ${this.#example} has no command with ${words.join(", ")}`);
    return this.run(line);
  }

  /** What the client counted since it started: answers, and how often. The first seconds are those of the start. */
  answers(skipSeconds = 0): Readonly<Record<string, number>> {
    const lines = this.run("bin/heddle logs shop/client --tail 100000").trim().split("\n").slice(skipSeconds);
    const sums: Record<string, number> = {};
    for (const line of lines) {
      for (const [answer, count] of Object.entries(JSON.parse(line) as Record<string, number>)) {
        sums[answer] = (sums[answer] ?? 0) + count;
      }
    }
    return sums;
  }

  /** Waits until the client heard nothing but this for a second. @returns how many seconds it has written about by then */
  async calm(answers: RegExp): Promise<number> {
    const lines = () => this.run("bin/heddle logs shop/client --tail 100000").trim().split("\n");
    await expect.poll(() => lines().at(-1), soon).toMatch(answers);
    return lines().length;
  }
}

const totalOf = (answers: Readonly<Record<string, number>>): number =>
  Object.values(answers).reduce((sum, count) => sum + count, 0);

/** Within five standard deviations of what chance gives: one of 1.7 million runs is not. */
const expectShare = (count: number, total: number, share: number): void => {
  const deviation = Math.sqrt(total * share * (1 - share));
  expect(Math.abs(count - total * share), `${count} of ${total}`).toBeLessThan(5 * deviation);
};

test("canary by weight: the split follows the weights, also when they change, and no request fails", async () => {
  const mesh = await ExampleMesh.up("canary-by-weight");
  const start = await mesh.calm(/^\{"v1":\d+(?:,"v2":\d+)?\}$/);
  await expect.poll(() => totalOf(mesh.answers(start)), soon).toBeGreaterThan(400);
  const { v1 = 0, v2 = 0, ...others } = mesh.answers(start);
  expect(others).toEqual({});
  expectShare(v2, v1 + v2, 0.1);
  expect(mesh.runFromReadme("routes")).toMatch(/shop\/web-v1:80 +9 \(90 %\)[^]*shop\/web-v2:80 +1 \(10 %\) .* 100 %/);
  expect(mesh.runFromReadme("explain")).toMatch(/shop\/web-v2:80 +weight 1, 10 % of the requests/);

  mesh.change("route.yaml", ["weight: 9", "weight: 0"]);
  await expect.poll(() => mesh.run("bin/heddle logs shop/client --tail 1").trim(), soon).toMatch(/^\{"v2":[0-9]+\}$/);
  const { v1: _, v2: __, ...failures } = mesh.answers(start);
  expect(failures).toEqual({});
});

test("canary by header: who asks for it gets the new version", async () => {
  const mesh = await ExampleMesh.up("canary-by-header");
  expect(mesh.runFromReadme("exec", 'fetch("http://web/")').trim()).toBe("v1");
  expect(mesh.runFromReadme("exec", '"x-user": "beta"').trim()).toBe("v2");
  const headers = `fetch("http://web/", { headers: { "x-user": "beta" } }).then((r) => console.log(r.headers.get("x-served-by")))`;
  expect(await mesh.exec("shop/client", "node", "-e", headers)).toBe("canary");
  expect(mesh.runFromReadme("explain", "beta")).toMatch(/chosen +shop\/web rule 0 \(beta\)/);
  expect(mesh.runFromReadme("explain", "alpha")).toMatch(/chosen +shop\/web rule 1 \(everybody\)/);
  expect(mesh.runFromReadme("routes")).toMatch(/0 beta +x-user=beta +shop\/web-v2:80 +1 \(100 %\) +100 % +2 +100 %/);
});

test("mirror: the new version gets a copy of what the old one answers", async () => {
  const mesh = await ExampleMesh.up("mirror");
  expect(mesh.runFromReadme("exec").trim()).toBe("v1");
  for (const pod of ["web-v1-0", "web-v2-0"]) {
    await expect.poll(() => mesh.runFromReadme("logs", pod), soon).toBe("GET /order/1\n");
  }
});

test("gRPC: the calls of one connection are spread over all replicas", async () => {
  const mesh = await ExampleMesh.up("grpc-balancing");
  const start = await mesh.calm(/^\{(?:"greeter-\d":\d+,?){3}\}$/);
  await expect.poll(() => totalOf(mesh.answers(start)), soon).toBeGreaterThan(300);
  const answers = mesh.answers(start);
  expect(Object.keys(answers).sort()).toEqual(["greeter-0", "greeter-1", "greeter-2"]);
  for (const count of Object.values(answers)) {
    expect(Math.abs(count - totalOf(answers) / 3)).toBeLessThan(totalOf(answers) * 0.05);
  }
  expect(mesh.runFromReadme("explain")).toMatch(/endpoints +3, in turn/);
  expect(mesh.runFromReadme("logs")).toContain("greeter-2");
});

test("WebSocket: an open one stays where it is while the route changes, and a new one follows it", async () => {
  const mesh = await ExampleMesh.up("websocket");
  const said = () => mesh.run("bin/heddle logs shop/client --tail 100000").trim().split("\n");
  await expect.poll(() => said().at(-1), soon).toMatch(/^v1 heard tick \d+$/);
  mesh.change("route.yaml", ["weight: 1", "weight: 2"], ["weight: 0", "weight: 1"], ["weight: 2", "weight: 0"]);
  await expect.poll(() => mesh.runFromReadme("exec").trim(), soon).toBe("v2 heard hello");
  const ticks = said().length;
  await expect.poll(() => said().length, soon).toBeGreaterThan(ticks + 4);
  const first = said().findIndex((line) => line.startsWith("v1 heard"));
  expect(
    said()
      .slice(first)
      .filter((line) => !line.startsWith("v1 heard tick")),
  ).toEqual([]);
  expect(mesh.runFromReadme("explain")).toContain("shop/chat-v2:80");
});
