/**
 * Requests without a pause to orderly-server.ts behind a Service, in a pod: `request-load HOST CALLERS`. All at once:
 *
 *   kept     HTTP/1.1 on port 80: so many callers, each with one connection that it keeps; GET and POST in turns, some answers in halves
 *   session  HTTP/2 on port 81: as many callers on one connection
 *   grpc     gRPC on port 7070: as many callers on one channel
 *   socket   a connection that switched protocols on port 80, never idle, opened again when it breaks
 *   stream   a stream of gRPC in both directions, the same
 *
 * For each line of input it prints one line of JSON: what happened since the last ({@link RequestReport}). Ends with its input.
 */
import { Agent, type IncomingMessage, request } from "node:http";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { Client, credentials, Metadata } from "@grpc/grpc-js";

/** By kind. */
export interface RequestReport {
  /** How many answers, by the field `x-epoch` that the route gave them, `none` where it gave none, and by the pod that gave them. */
  readonly answers: Readonly<Record<Kind, Readonly<Record<string, Readonly<Record<string, number>>>>>>;
  /** What did not succeed, in words, and how often; what is told of `socket` and `stream` is that they broke. */
  readonly failures: Readonly<Record<string, number>>;
  /** Connections that were opened, from the beginning. */
  readonly opened: Readonly<Record<string, number>>;
  /** What `socket` and `stream` got back. */
  readonly echoed: Readonly<Record<string, number>>;
}

export type Kind = "kept" | "session" | "grpc";

const [host = "", callers = "1"] = process.argv.slice(2);
const PAUSE_MS = 5;
const ECHO_MS = 20;
const PATIENCE_MS = 60_000;

type Counts = Record<string, number>;
const count = (counts: Counts, what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);

const nothing = () => ({
  answers: { kept: {}, session: {}, grpc: {} } as Record<Kind, Record<string, Counts>>,
  failures: {} as Counts,
  echoed: {} as Counts,
});
let now = nothing();
const opened: Counts = {};

const answered = (kind: Kind, epoch: string, pod: string): void => count((now.answers[kind][epoch] ??= {}), pod);
/** A field of an answer. */
const said = (value: unknown, otherwise: string): string => (typeof value === "string" ? value : otherwise);
const failed = (kind: string, error: unknown): void =>
  count(
    now.failures,
    // node:http2 has one code for all streams that were reset, and says with which only in words.
    `${kind}: ${error instanceof Error ? [(error as NodeJS.ErrnoException).code, error.message].filter(Boolean).join(" ") : String(error)}`,
  );

/** Calls again and again; what it throws is a failure. */
const again = async (kind: Kind, ask: (number: number) => Promise<void>): Promise<void> => {
  for (let number = 0; ; number++) {
    await ask(number).catch((error: unknown) => failed(kind, error));
    await wait(PAUSE_MS);
  }
};

const PATHS = ["/", "/halves", "/"];

const kept = (): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.on("free", (socket: { isCounted?: boolean }) => {
    if (!socket.isCounted) count(opened, "kept");
    socket.isCounted = true;
  });
  return again("kept", async (number) => {
    const method = number % 2 === 0 ? "GET" : "POST";
    const path = PATHS[number % PATHS.length];
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request({ host, port: 80, agent, method, path, timeout: PATIENCE_MS }, resolve);
      asked.once("timeout", () => asked.destroy(new Error("timeout"))).once("error", reject);
      asked.end(method === "POST" ? "content" : undefined);
    });
    const pod = await text(answer);
    const { "x-heddle-error": error, "x-epoch": epoch } = answer.headers;
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${said(error, "")} ${pod}`);
    answered("kept", said(epoch, "none"), pod);
  });
};

let session: ClientHttp2Session | undefined;
const theSession = (): ClientHttp2Session => {
  if (session && !session.closed && !session.destroyed) return session;
  count(opened, "session");
  const made = connect(`http://${host}:81`);
  made.on("error", () => undefined);
  made.once("goaway", () => session === made && (session = undefined));
  return (session = made);
};

/**
 * node:http2 takes a request while the GOAWAY that it has not read yet waits for it, and then resets it itself as refused:
 * nothing of it was sent, and it may be asked again (RFC 9113 section 8.7).
 */
class NotSent extends Error {}

const askOnSession = async (path: string | undefined, isPost: boolean): Promise<void> => {
  const on = theSession();
  const stream = on.request({ ":path": path, ":method": isPost ? "POST" : "GET" });
  stream.setTimeout(PATIENCE_MS, () => stream.destroy(new Error("timeout")));
  stream.end(isPost ? "content" : undefined);
  const head = await new Promise<Record<string, unknown>>((resolve, reject) => {
    const isNotSent = (): boolean => stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && on !== session;
    stream.once("response", resolve).once("error", (error) => reject(isNotSent() ? new NotSent() : error));
    stream.once("close", () => reject(new Error(`closed unanswered, code ${stream.rstCode}`)));
  });
  const pod = await text(stream);
  const { ":status": status, "x-heddle-error": error, "x-epoch": epoch } = head;
  if (status !== 200) throw new Error(`${Number(status)} ${said(error, "")} ${pod}`);
  answered("session", said(epoch, "none"), pod);
};

const sessionRequests = (): Promise<void> =>
  again("session", async (number) => {
    const [path, isPost] = [PATHS[number % PATHS.length], number % 2 === 1];
    await askOnSession(path, isPost).catch((error: unknown) => {
      if (error instanceof NotSent) return askOnSession(path, isPost);
      throw error;
    });
  });

const channel = new Client(`${host}:7070`, credentials.createInsecure());
const asBytes = (bytes: Buffer): Buffer => bytes;

const grpcCalls = (): Promise<void> =>
  again("grpc", async () => {
    let head = new Metadata();
    const message = await new Promise<Buffer | undefined>((resolve, reject) => {
      const options = { deadline: Date.now() + PATIENCE_MS };
      const call = channel.makeUnaryRequest(
        "/orderly.Test/Unary",
        asBytes,
        asBytes,
        Buffer.from("hello"),
        options,
        (error, answer) =>
          error ? reject(new Error(`${error.code} ${error.details}`)) : setImmediate(resolve, answer),
      );
      call.on("metadata", (fields) => (head = fields));
    });
    answered("grpc", said(head.get("x-epoch")[0], "none"), String(message));
  });

const SWITCH = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" };

/** Says numbers, and expects them back in order. */
const echo = (kind: string, duplex: Duplex, isWhole: boolean): Promise<void> =>
  new Promise((_, reject) => {
    let [sent, back] = ["", ""];
    let number = 0;
    const timer = setInterval(() => {
      const next = `${number++} `;
      sent += next;
      duplex.write(isWhole ? Buffer.from(next) : next);
    }, ECHO_MS);
    const over = (error: unknown): void => {
      clearInterval(timer);
      duplex.destroy();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    duplex.on("data", (part: Buffer) => {
      back += part.toString();
      if (sent.startsWith(back)) count(now.echoed, kind);
      else over("other than was said");
    });
    duplex.once("error", over);
    duplex.once("end", () => over("ended"));
    duplex.once("close", () => over("closed"));
  });

const switched = (): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    const asked = request({ host, port: 80, agent: false, path: "/socket", headers: SWITCH });
    asked.once("upgrade", (_, socket) => resolve(socket)).once("error", reject);
    asked.once("response", (answer) => reject(new Error(`not switched: ${answer.statusCode}`)));
    asked.end();
  });

const forever = async (kind: string, open: () => Promise<Duplex>, isWhole: boolean): Promise<void> => {
  for (;;) {
    try {
      const duplex = await open();
      count(opened, kind);
      await echo(kind, duplex, isWhole);
    } catch (error) {
      failed(kind, error);
    }
    await wait(ECHO_MS);
  }
};

for (let caller = 0; caller < Number(callers); caller++) {
  void kept();
  void sessionRequests();
  void grpcCalls();
}
void forever("socket", switched, false);
const bidi = () => channel.makeBidiStreamRequest("/orderly.Test/Echo", asBytes, asBytes);
void forever("stream", () => Promise.resolve(bidi() as unknown as Duplex), true);

const report = (): RequestReport => {
  const happened = { ...now, opened };
  now = nothing();
  return happened;
};
const input = createInterface(process.stdin);
input.on("line", () => process.stdout.write(`${JSON.stringify(report())}\n`));
input.once("close", () => process.exit(0));
