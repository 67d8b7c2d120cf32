/**
 * Asks a server that ends idle connections, again and again just when it may: `http-race.ts HOST PORT IDLE_MS CONNECTIONS REQUESTS`.
 * On each connection every second request is a POST with an id of its own, `/count/ID`; prints how many were answered, and what
 * happened to the others.
 */
import { Agent, request } from "node:http";

const [, , host = "", port = "", idle = "", connections = "", requests = ""] = process.argv;

/** What came of many requests. */
export interface RaceResult {
  readonly ok: number;
  readonly posts: number;
  readonly failures: readonly string[];
}

const failures: string[] = [];
let [ok, posts] = [0, 0];

const ask = (agent: Agent, method: string, path: string): Promise<void> =>
  new Promise((resolve) => {
    const fail = (what: string): void => {
      failures.push(`${method} ${what}`);
      resolve();
    };
    const asked = request({ host, port, agent, method, path }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.on("error", (error) => fail(error.message));
      answer.on("end", () => {
        if (answer.statusCode !== 200) return fail(`${answer.statusCode} ${text}`);
        ok += 1;
        resolve();
      });
    });
    asked.on("error", (error) => fail(error.message));
    asked.end(method === "POST" ? "content" : undefined);
  });

const run = async (connection: number): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let count = 0; count < Number(requests); count++) {
    const method = count % 2 === 0 ? "POST" : "GET";
    if (method === "POST") posts += 1;
    await ask(agent, method, method === "POST" ? `/count/${connection}-${count}` : "/");
    // About when the server's patience is over: a bit before, at it, a bit after.
    const waitMs = Number(idle) - 4 + ((count * 7 + connection) % 9);
    await new Promise((go) => setTimeout(go, waitMs));
  }
  agent.destroy();
};

await Promise.all(Array.from({ length: Number(connections) }, (_, index) => run(index)));
process.stdout.write(JSON.stringify({ ok, posts, failures } satisfies RaceResult));
