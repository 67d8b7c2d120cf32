/**
 * The tables of wire/http1/testing, from an end of the pipeline to the other, in pods:
 *
 *   `http-cases.ts requests HOST PORT`   sends each request of the table to http-app.ts's port of Node.js, on a connection of its own
 *   `http-cases.ts pieces HOST PORT`     the same byte by byte, but for long ones
 *   `http-cases.ts serve PORT`           answers the request `/N` with the Nth answer of both tables
 *   `http-cases.ts answers HOST PORT`    asks for each of them
 *
 * What is not as the tables say is printed as a JSON list of sentences.
 */
import { request } from "node:http";
import { connect, createServer } from "node:net";
import type { AwaitedResponse } from "#wire/http1/parse-response-head.ts";
import { REQUEST_CASES, type RequestCase } from "#wire/http1/testing/request-cases.ts";
import { ACCEPTED_RESPONSES, REJECTED_RESPONSES } from "#wire/http1/testing/response-cases.ts";
import type { Seen } from "./http-app.ts";
import { writeBytewise } from "./write-bytewise.ts";

const [, , what = "", ...args] = process.argv;
const PATIENCE_MS = 20_000;
const AT_ONCE = 10;

/** Says bytes, and hears until so many final answers or the end are there. */
const say = (host: string, port: number, bytes: string, answers: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    let heard = "";
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard);
    };
    const timer = setTimeout(done, PATIENCE_MS);
    socket.on("data", (part: Buffer) => {
      heard += part.toString("latin1");
      if (isComplete(heard, answers) || isHttp2(heard)) done();
    });
    socket.on("error", () => undefined);
    socket.on("close", done);
    if (what === "pieces") void writeBytewise(socket, Buffer.from(bytes, "latin1"));
    else socket.write(bytes, "latin1");
  });

const finalLines = (heard: string): readonly string[] => heard.match(/HTTP\/1\.1 [2-5][0-9]{2}/g) ?? [];

/** A port of HTTP is one of HTTP/2 as well: it says its SETTINGS. */
const isHttp2 = (heard: string): boolean => heard.charCodeAt(3) === 4;

/** The application ends every answer but those to HEAD with a line end after its JSON. */
const isComplete = (heard: string, answers: number): boolean =>
  answers > 0 && finalLines(heard).length >= answers && /(?:\}\n|\r\n\r\n)(?:0\r\n\r\n)?$/.test(heard);

const seenIn = (heard: string): readonly Seen[] =>
  (heard.match(/\{"method".*\}/g) ?? []).map((line) => JSON.parse(Buffer.from(line, "latin1").toString()) as Seen);

/** Fields that the proxies set, besides what concerns one connection. */
const OURS = new Set(["x-request-id", "x-forwarded-for", "x-forwarded-client-cert"]);
const OF_CONNECTION = new Set(
  "connection keep-alive proxy-connection te transfer-encoding upgrade http2-settings host content-length".split(" "),
);

const endToEnd = (fields: readonly string[]): string =>
  fields
    .flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? ""] as const] : []))
    .filter(([name]) => !OURS.has(name.toLowerCase()) && !OF_CONNECTION.has(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");

const fieldsOf = (bytes: string): readonly string[] =>
  bytes
    .replace(/^(?:\r\n)+/, "")
    .split("\r\n\r\n", 1)
    .join()
    .split("\r\n")
    .slice(1)
    .flatMap((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);

const checkRequest =
  (host: string, port: number) =>
  async ({ id, bytes, expected }: RequestCase) => {
    if ("reject" in expected) {
      const heard = await say(host, port, bytes, 0);
      const status = finalLines(heard).at(-1) ?? "nothing";
      // The request before these bytes was good, and its answer the last.
      if (expected.reject === "bytes-after-last-message")
        return finalLines(heard).length === 1 ? [] : [`${id}: ${finalLines(heard).join(", ")}`];
      if (expected.reject === "http2-preface") return isHttp2(heard) ? [] : [`${id}: ${status}`];
      return status.endsWith(` ${expected.status}`) ? [] : [`${id}: ${status}, not ${expected.status}`];
    }
    const count = expected.messages ?? 1;
    const heard = await say(host, port, bytes, count);
    const lines = finalLines(heard);
    const wrong = lines.filter((line) => !line.endsWith(" 200"));
    if (lines.length !== count || wrong.length > 0)
      return [`${id}: ${lines.join(", ") || "nothing"}, not ${count} x 200`];
    const [seen] = seenIn(heard);
    // An answer to HEAD says nothing of what was seen.
    if (!seen) return bytes.startsWith("HEAD") ? [] : [`${id}: nothing was seen: ${heard}`];
    const content = seenIn(heard)
      .map((each) => Buffer.from(each.content, "base64").toString("latin1"))
      .join("");
    const problems: string[] = [];
    if (content !== expected.content) problems.push(`${id}: content ${JSON.stringify(content.slice(0, 99))}`);
    if (expected.accept !== "as is" || bytes.startsWith("HEAD")) return problems;
    const [line = ""] = bytes.replace(/^(?:\r\n)+/, "").split("\r\n");
    if (line !== `${seen.method} ${seen.url} HTTP/1.1`) problems.push(`${id}: ${seen.method} ${seen.url}`);
    const [sent, arrived] = [endToEnd(fieldsOf(bytes)), endToEnd(seen.fields)];
    if (sent.slice(0, 2_000) !== arrived.slice(0, 2_000)) problems.push(`${id}: fields ${arrived.slice(0, 200)}`);
    return problems;
  };

/** What one of our own answers is about. */
interface Answer {
  readonly title: string;
  readonly awaited: AwaitedResponse;
  readonly bytes: string;
  /** Undefined where it is refused. */
  readonly content: string | undefined;
  /** What is wrong is behind the end of an answer that is good. */
  readonly isGoodBefore: boolean;
}

const ANSWERS: readonly Answer[] = [
  ...ACCEPTED_RESPONSES.map(([title, awaited, bytes, , , , content]) => ({
    title,
    awaited,
    bytes,
    content,
    isGoodBefore: true,
  })),
  ...REJECTED_RESPONSES.map(([title, awaited, bytes, reason]) => ({
    title,
    awaited,
    bytes,
    content: undefined,
    isGoodBefore: reason === "unsolicited-response" || reason === "bytes-after-last-message",
  })),
];

const serve = (port: number): void => {
  createServer((socket) => {
    let head = "";
    socket.on("error", () => undefined);
    socket.on("data", (part) => {
      head += part.toString("latin1");
      const at = /^[A-Z]+ \/([0-9]+) /.exec(head)?.[1];
      if (head.includes("\r\n\r\n") && at !== undefined) socket.end(ANSWERS[Number(at)]?.bytes ?? "", "latin1");
    });
  }).listen(port, "::", () => process.stdout.write("listening\n"));
};

const ask = (host: string, port: number, at: number, { method, upgrade }: AwaitedResponse): Promise<string> =>
  new Promise((resolve) => {
    const headers =
      upgrade.length > 0 ? { connection: "Upgrade", upgrade: upgrade.join(", ") } : { connection: "close" };
    const asked = request({ host, port, path: `/${at}`, method, headers, agent: false, timeout: PATIENCE_MS });
    asked.on("timeout", () => asked.destroy(new Error("silence")));
    asked.on("error", (error) => resolve(`broken: ${error.message}`));
    asked.on("upgrade", (_, socket) => {
      socket.destroy();
      resolve("switched");
    });
    asked.on("response", (answer) => {
      let text = "";
      answer.setEncoding("latin1").on("data", (part: string) => (text += part));
      answer.on("error", () => resolve(`broken after ${answer.statusCode}`));
      answer.on("end", () => resolve(`${answer.statusCode} ${text}`));
    });
    asked.end();
  });

const checkAnswer = (host: string, port: number) => async (at: number) => {
  const { title, awaited, bytes, content, isGoodBefore } = ANSWERS[at] as Answer;
  // There is no CONNECT through the mesh.
  if (awaited.method === "CONNECT") return [];
  const got = await ask(host, port, at, awaited);
  const final = /HTTP\/1\.[01] ((?:101|[2-9][0-9]{2})[^\r]*)/.exec(bytes)?.[1] ?? "";
  if (content === undefined) {
    const isWithoutIt = isGoodBefore && got.startsWith(`${final.slice(0, 3)} `) && !got.includes("HTTP/1.1");
    return /^50[23] /.test(got) || got.startsWith("broken") || isWithoutIt ? [] : [`${title}: ${got.slice(0, 200)}`];
  }
  const expected = final.startsWith("101") ? "switched" : `${final.slice(0, 3)} ${content}`;
  return got === expected
    ? []
    : [`${title}: ${JSON.stringify(got.slice(0, 200))}, not ${JSON.stringify(expected.slice(0, 200))}`];
};

/** Runs all of them, some at a time. */
const all = async <Case>(cases: readonly Case[], check: (one: Case) => Promise<readonly string[]>): Promise<void> => {
  const problems: string[] = [];
  const left = [...cases];
  const run = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) problems.push(...(await check(one)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  process.stdout.write(JSON.stringify({ cases: cases.length, problems }));
  process.exit(0);
};

/** TLS is passed on, and what the application says may be lost where it closes before it has read everything. */
const isSameInPieces = ({ id, bytes }: RequestCase): boolean => id !== "H1-67" && bytes.length < 500;

const [host = "", port = ""] = args;
if (what === "serve") serve(Number(host));
else if (what === "requests") await all(REQUEST_CASES, checkRequest(host, Number(port)));
else if (what === "pieces") await all(REQUEST_CASES.filter(isSameInPieces), checkRequest(host, Number(port)));
else await all([...ANSWERS.keys()], checkAnswer(host, Number(port)));
