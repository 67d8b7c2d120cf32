/**
 * HTTP/1.1 clients in a pod. Each command prints one line of JSON.
 *
 *   undici HOST:PORT          undici, 10 requests in a pipeline on each of 2 connections; a streamed upload; fetch
 *   spaced HOST:PORT N MS EACH  N connections of our own, EACH requests on each, about MS apart: how many ended how. Every
 *                             second one is a POST, which nobody may send twice
 */
import { connect } from "node:net";
import { Readable } from "node:stream";
import { Agent, fetch, request } from "undici";

const [command = "", target = "", ...numbers] = process.argv.slice(2);

const undici = async (): Promise<object> => {
  const dispatcher = new Agent({ pipelining: 10, connections: 2 });
  const who = Array.from({ length: 200 }, async () => {
    const { statusCode, body } = await request(`http://${target}/who`, { dispatcher });
    return `${statusCode} ${(await body.text()).trim()}`;
  });
  const counts: Record<string, number> = {};
  for (const each of await Promise.all(who)) counts[each] = (counts[each] ?? 0) + 1;
  const parts = Array.from({ length: 100 }, (_, index) => Buffer.alloc(10_000, String(index)));
  const uploaded = await request(`http://${target}/digest`, {
    method: "POST",
    body: Readable.from(parts),
    dispatcher,
  });
  const fetched = await fetch(`http://${target}/bytes/1000000`);
  const result = {
    counts,
    uploaded: (await uploaded.body.text()).trim(),
    fetched: (await fetched.arrayBuffer()).byteLength,
  };
  await dispatcher.close();
  return result;
};

/** Around the moment at which the server ends the connection: a little before and a little after, in turns. In milliseconds. */
const SPREADS = [3, 40];
const TIMEOUT_MS = 30_000;

const spaced = async (connections: number, everyMs: number, each: number): Promise<object> => {
  const counts: Record<string, number> = {};
  const one = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const [host = "", port = ""] = target.split(":");
      const socket = connect({ host, port: Number(port), noDelay: true });
      let [left, said] = [each, ""];
      const spread = SPREADS[index % SPREADS.length] ?? 0;
      const note = (outcome: string): void => {
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      };
      const ask = (): void => {
        left--;
        said = "";
        const line = left % 2 === 0 ? "GET /who" : "POST /digest";
        socket.write(
          `${line} HTTP/1.1\r\nhost: ${target}\r\n${left % 2 === 0 ? "" : "content-length: 2\r\n"}\r\n${left % 2 === 0 ? "" : "hi"}`,
        );
        socket.setTimeout(TIMEOUT_MS);
      };
      const onAnswer = (): void => {
        note(said.slice(9, 12));
        socket.setTimeout(0);
        if (left === 0) return void socket.end();
        setTimeout(ask, everyMs - spread + ((index * 7 + left * 13) % (2 * spread)));
      };
      socket.on("connect", ask);
      socket.on("timeout", () => socket.destroy(new Error("timeout")));
      socket.on("data", (part) => {
        said += part.toString();
        // All answers of this server to these requests end with a line, and their head with an empty one.
        if (/\r\n\r\n[^]*\n(?:0\r\n\r\n)?$/.test(said)) onAnswer();
      });
      socket.on("error", (error: NodeJS.ErrnoException) => note(error.code ?? error.message));
      socket.on("close", () => {
        if (left > 0) note(`closed before ${left} more`);
        resolve();
      });
    });
  await Promise.all(Array.from({ length: connections }, (_, index) => one(index)));
  return counts;
};

const [first = 0, second = 0, third = 0] = numbers.map(Number);
process.stdout.write(`${JSON.stringify(command === "undici" ? await undici() : await spaced(first, second, third))}\n`);
process.exit(0);
