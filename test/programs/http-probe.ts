/**
 * Says bytes to a server and hears what comes back, in a pod. `http-probe.ts PROBES`: a JSON list of {@link Probe}, run one after
 * the other; prints a JSON list of {@link Heard}.
 */
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { pathToFileURL } from "node:url";

/** `until` waits for a text, or, if it is empty, for the end. Texts are latin1. */
export type Step =
  | { readonly say: string }
  | { readonly until: string }
  | { readonly act: "end" | "reset" }
  /** Says it again and again, until an answer has this. */
  | { readonly say: string; readonly untilSaid: string };

export interface Probe {
  readonly host: string;
  readonly port: number;
  readonly steps?: readonly Step[];
  /** Instead of steps: a request of HTTP/2. */
  readonly request?: Http2Probe;
}

export interface Http2Probe {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Not ended if undefined and `isOpen`. */
  readonly content?: string;
  readonly isOpen?: boolean;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Gives up when the app has it. */
  readonly cancelsAfterMs?: number;
}

export interface Heard {
  readonly text: string;
  /** `open`: what was waited for came. */
  readonly how: "open" | "end" | "reset" | "silence";
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly trailers?: Readonly<Record<string, string>>;
}

const PATIENCE_MS = 30_000;

/** Plays one probe on a connection of its own. */
const play = ({ host, port, steps = [] }: Probe): Promise<Heard> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    let text = "";
    let seen = 0;
    let ended: "end" | "reset" | undefined;
    let wake = (): void => undefined;
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      wake();
    });
    socket.on("end", () => {
      ended ??= "end";
      wake();
    });
    socket.on("error", () => {
      ended = "reset";
      wake();
    });
    const wait = async (isThere: () => boolean): Promise<void> => {
      for (;;) {
        if (isThere() || ended) return;
        await new Promise<void>((go) => {
          wake = go;
        });
      }
    };
    const run = async (): Promise<Heard> => {
      for (const step of steps) {
        if ("untilSaid" in step) {
          for (;;) {
            const from = text.length;
            socket.write(step.say, "latin1");
            await wait(() => text.length > from);
            if (ended || text.slice(from).includes(step.untilSaid)) break;
            await new Promise((go) => setTimeout(go, 50));
          }
        } else if ("say" in step) socket.write(step.say, "latin1");
        else if ("act" in step) {
          if (step.act === "end") socket.end();
          else socket.resetAndDestroy();
        } else if (step.until === "") await wait(() => false);
        else {
          await wait(() => text.includes(step.until, seen));
          seen = text.indexOf(step.until, seen) + step.until.length;
        }
      }
      return { text, how: ended ?? "open" };
    };
    const timer = setTimeout(() => resolve({ text, how: "silence" }), PATIENCE_MS);
    void run().then((heard) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard);
    });
  });

/** Sends one request of HTTP/2 on a connection of its own. */
const request = ({ host, port }: Probe, { headers, content, isOpen, trailers, cancelsAfterMs }: Http2Probe) =>
  new Promise<Heard>((resolve) => {
    const session = connectHttp2(`http://${host}:${port}`);
    const stream = session.request(
      { ":method": "GET", ...headers },
      {
        endStream: content === undefined && isOpen !== true && !trailers,
        waitForTrailers: trailers !== undefined,
      },
    );
    let text = "";
    let status: number | undefined;
    let [heads, tails]: Record<string, string>[] = [{}, {}];
    const texts = (given: object): Record<string, string> =>
      Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
    let hasEnded = false;
    const done = (how: Heard["how"]): void => {
      clearTimeout(timer);
      session.destroy();
      resolve({ text, how, status, headers: heads ?? {}, trailers: tails ?? {} });
    };
    const timer = setTimeout(() => done("silence"), PATIENCE_MS);
    stream.on("response", (given) => {
      status = given[":status"];
      heads = texts(given);
    });
    stream.on("trailers", (given) => (tails = texts(given)));
    stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
    stream.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
    stream.on("end", () => (hasEnded = true));
    stream.on("error", () => undefined);
    stream.on("close", () => done(hasEnded && (stream.rstCode ?? 0) === 0 ? "end" : "reset"));
    session.on("error", () => undefined);
    if (content !== undefined) stream.write(content);
    if (isOpen !== true && (content !== undefined || trailers)) stream.end();
    if (cancelsAfterMs !== undefined) setTimeout(() => stream.close(8), cancelsAfterMs);
  });

export const probe = (one: Probe): Promise<Heard> => (one.request ? request(one, one.request) : play(one));

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const heard: Heard[] = [];
  for (const each of JSON.parse(process.argv[2] ?? "[]") as readonly Probe[]) heard.push(await probe(each));
  process.stdout.write(JSON.stringify(heard));
  process.exit(0);
}
