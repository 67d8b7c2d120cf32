/**
 * The tables of wire/http2/testing, from an end of the pipeline to the other, in pods (see http2-case-servers.ts):
 *
 *   `http2-cases.ts requests HOST`   sends what each row of a client's says, on a connection of its own
 *   `http2-cases.ts pieces HOST`     the same byte by byte, as far as that is the same
 *   `http2-cases.ts answers HOST`    asks for each row of a server's
 *   `http2-cases.ts floods HOST`     floods the first proxy
 *
 * What is not as the tables say is printed as a JSON list of sentences.
 */
import { get } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { PREFACE } from "#wire/http2/preface.ts";
import { type Flood, FLOODS } from "#wire/http2/testing/flood-cases.ts";
import { describeFrame, ping, type SentFrame, settings, splitFrames } from "#wire/http2/testing/raw-frames.ts";
import { writeBytewise } from "./write-bytewise.ts";
import {
  type Arrived,
  type ArrivedRequest,
  FLOOD_PORT,
  FrameSplitter,
  REQUEST_ROWS,
  RESPONSE_ROWS,
  SEEN_PORT,
  sectionsIn,
} from "./http2-case-rows.ts";

const [, , what = "", host = ""] = process.argv;
const isInPieces = what === "pieces";
const PATIENCE_MS = 20_000;
const AT_ONCE = 10;
/** Of the PING behind the bytes of a row: whatever comes of them at once has come when it is answered. */
const FENCE = 0x66;

/** What a server has said to a client that only sends. */
interface Heard {
  readonly frames: readonly SentFrame[];
  readonly how: "end" | "enough" | "silence";
}

/** @param answers how many of the streams have to end */
const say = (port: number, sent: readonly Uint8Array[], answers: number): Promise<Heard> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    const splitter = new FrameSplitter();
    const frames: SentFrame[] = [];
    const done = (how: Heard["how"]) => (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ frames, how });
    };
    const timer = setTimeout(done("silence"), PATIENCE_MS);
    socket.on("data", (bytes) => {
      frames.push(...splitter.add(bytes as Buffer));
      const isFenced = frames.some(isFence);
      if (isFenced && frames.filter(isEndOfAnswer).length >= answers) done("enough")();
    });
    // A server that does not read on may reset the connection, after its last words.
    socket.on("error", () => undefined);
    socket.on("close", done("end"));
    const bytes = Buffer.concat([PREFACE, settings(), ...sent, ping(FENCE)]);
    if (isInPieces) void writeBytewise(socket, bytes);
    else socket.write(bytes);
  });

const isFence = ({ type, payload }: SentFrame): boolean => type === FRAME_TYPE.ping && payload[0] === FENCE;
const isEndOfAnswer = ({ type, flags }: SentFrame): boolean =>
  (type === FRAME_TYPE.data || type === FRAME_TYPE.headers) && (flags & 1) !== 0;

/** What a row says of: errors, and what is neither an answer of the application nor due on every connection. */
const answersIn = (frames: readonly SentFrame[]): readonly string[] => {
  const statuses = sectionsIn(frames).map((section) => section.find(({ name }) => name === ":status")?.value);
  let greetings = 2;
  return frames.flatMap((frame) => {
    if (frame.type === FRAME_TYPE.settings && greetings-- > 0) return [];
    if (frame.type === FRAME_TYPE.windowUpdate || frame.type === FRAME_TYPE.data || isFence(frame)) return [];
    const status = frame.type === FRAME_TYPE.headers ? statuses.shift() : undefined;
    if (status === "200") return [];
    return [describeFrame(frame) + (status === undefined ? "" : ` ${status}`)];
  });
};

/** Fields that the proxies set, and Host, which is the authority by another name. */
const OURS = new Set(["x-request-id", "x-forwarded-for", "x-forwarded-client-cert", "host"]);

const lines = (fields: readonly (readonly [string, string])[]): string =>
  fields
    .filter(([name]) => !OURS.has(name) && !name.startsWith(":"))
    .map((field) => field.join(": "))
    .join("\n");

const asCalls = ({ method, authority, path, content, trailers }: ArrivedRequest): readonly string[] => [
  `request ${method} ${authority} ${path}`,
  ...(content === "" ? [] : [`data ${content}`]),
  `end${trailers === "" ? "" : ` ${trailers}`}`,
];

/** What was received, in however many pieces. */
const withoutIds = (calls: readonly string[]): string =>
  calls
    .map((call) => call.replace(/^([a-z]+) [0-9]+/, "$1"))
    .reduce<readonly string[]>((joined, call) => {
      const last = joined.at(-1) ?? "";
      if (!call.startsWith("data ") || !last.startsWith("data ")) return [...joined, call];
      return [...joined.slice(0, -1), last + call.slice("data ".length)];
    }, [])
    .join(", ");

const checkRequest = async ({ port, title, sent, calls, answer }: (typeof REQUEST_ROWS)[number]) => {
  const isRead = calls?.at(-1)?.startsWith("end") === true;
  const wanted = isRead ? calls.filter((call) => call.startsWith("end")).length : 0;
  const { frames, how } = await say(port, sent, wanted);
  const heard = answersIn(frames);
  const problems: string[] = [];
  const ends = answer.some((frame) => frame.startsWith("GOAWAY")) ? "end" : "enough";
  if (how !== ends || heard.join() !== answer.join()) problems.push(`${title}: ${how}, ${heard.join()}`);
  return {
    problems,
    arrived: ({ requests }: Arrived): readonly string[] => {
      const all = requests[port] ?? [];
      const whole = all.filter(({ isComplete }) => isComplete);
      if (isRead) {
        const got = whole.flatMap(asCalls).join(", ");
        if (got !== withoutIds(calls)) return [`${title}: arrived: ${got}`];
        const [section = []] = sectionsIn(splitFrames(Buffer.concat(sent)));
        const fields = lines(section.map(({ name, value }) => [name, value]));
        const own = lines(whole[0]?.fields ?? []);
        return own === fields ? [] : [`${title}: fields: ${own.slice(0, 200)}`];
      }
      const mayBegin = calls === undefined || calls.some((call) => call.startsWith("request"));
      // Such as are whole, and what is wrong comes after them.
      const mayEnd = calls?.some((call) => call.startsWith("end")) ?? false;
      const few = mayEnd || (mayBegin && whole.length === 0) ? [] : all;
      return few.map((each) => `${title}: arrived: ${JSON.stringify(each)}`);
    },
  };
};

/** What a client hears that asks as others do. */
const ask = (port: number, method: string): Promise<readonly string[]> =>
  new Promise((resolve) => {
    const session = connectHttp2(`http://${host}:${port}`);
    const stream = session.request({ ":method": method, ":path": "/", ":authority": "shop" });
    const heard: string[] = [];
    let content = "";
    const done = (how: string): void => {
      clearTimeout(timer);
      session.destroy();
      resolve([...heard, ...(content === "" ? [] : [`data ${content}`]), how]);
    };
    const timer = setTimeout(() => done("silence"), PATIENCE_MS);
    let end = "";
    let isOurs = false;
    stream.on("headers", (head) => heard.push(`response ${head[":status"]}`));
    stream.on("response", (head) => {
      isOurs = head["x-heddle-error"] !== undefined;
      heard.push(isOurs ? "refused" : `response ${head[":status"]}`);
    });
    stream.on(
      "trailers",
      (fields) =>
        (end = ` ${Object.entries(fields)
          .map((field) => field.join("="))
          .join()}`),
    );
    stream.on("data", (bytes: Buffer) => {
      if (!isOurs) content += bytes.toString("latin1");
    });
    stream.on("error", () => undefined);
    session.on("error", () => undefined);
    stream.on("close", () => done(stream.rstCode === 0 && stream.readableEnded ? `end${end}` : "reset"));
    stream.end();
  });

const checkAnswer = async ({ port, title, asked, calls, answer }: (typeof RESPONSE_ROWS)[number]) => {
  const method = asked?.[0]?.[1] ?? "GET";
  // There is no CONNECT through the mesh.
  if (method === "CONNECT") return { problems: [], arrived: () => [] };
  const heard = (await ask(port, method)).join(", ");
  const said = (calls ?? []).filter((call) => !call.startsWith("goaway"));
  const end = said.findIndex((call) => call.startsWith("end"));
  const isRight = end >= 0 ? heard === withoutIds(said.slice(0, end + 1)) : isFailure(heard, withoutIds(said));
  return {
    problems: isRight ? [] : [`${title}: ${heard}`],
    arrived: ({ frames }: Arrived): readonly string[] => {
      const own = (frames[port] ?? []).filter((frame) => !frame.endsWith(" code 0"));
      const isAnswered =
        answer.length === 0 ? own.length === 0 : own.every((frame) => answer.includes(frame)) && own.length > 0;
      return isAnswered ? [] : [`${title}: the application was told ${own.join()}`];
    },
  };
};

/** An answer of the mesh, or one that is cut where it became wrong, or before. */
const isFailure = (heard: string, said: string): boolean => {
  const parts = heard.split(", ");
  const last = parts.pop();
  if (last !== "reset" && (last !== "end" || parts.at(-1) !== "refused")) return false;
  const read = said.split(", ");
  return parts.every((part, at) => part === "refused" || part === read[at]);
};

/** As much as it takes at the codec and as much again, for what comes back with time. */
const checkFlood = async ({ what: title, first = [], each, most }: Flood) => {
  const { frames, how } = await say(
    FLOOD_PORT,
    [...first, ...Array.from({ length: 2 * most }, (_, index) => each(index))],
    0,
  );
  const last = frames.at(-1);
  const isRight = how === "end" && last?.type === FRAME_TYPE.goaway && last.payload.readUInt32BE(4) === 11;
  const problems = isRight ? [] : [`${title}: ${how}, ${last ? describeFrame(last) : "nothing"}`];
  return { problems, arrived: () => [] };
};

const takeArrived = (): Promise<Arrived> =>
  new Promise((resolve, reject) => {
    const asked = get({ host, port: SEEN_PORT, agent: false }, (answer) => {
      text(answer).then((said) => resolve(JSON.parse(said) as Arrived), reject);
    });
    asked.on("error", reject);
  });

/** What comes of a row at once, and what the applications say afterwards. */
interface Checked {
  readonly problems: readonly string[];
  readonly arrived: (all: Arrived) => readonly string[];
}

/** Runs all of them, some at a time. */
const all = async <Row>(rows: readonly Row[], check: (row: Row) => Promise<Checked>): Promise<void> => {
  const checked: Checked[] = [];
  const left = [...rows];
  const run = async (): Promise<void> => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) checked.push(await check(row));
  };
  await takeArrived();
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  const arrived = await takeArrived();
  const problems = checked.flatMap((one) => [...one.problems, ...one.arrived(arrived)]);
  process.stdout.write(JSON.stringify({ cases: rows.length, problems }));
  process.exit(0);
};

/** Where an answer may come in between, its time decides what the bytes behind the request are. */
const isSameInPieces = ({ sent, calls = [] }: (typeof REQUEST_ROWS)[number]): boolean => {
  const isAnswered = calls.some((call) => call.startsWith("end")) && calls.at(-1)?.startsWith("end") !== true;
  return !isAnswered && Buffer.concat(sent).length < 500;
};

if (what === "requests") await all(REQUEST_ROWS, checkRequest);
else if (isInPieces) await all(REQUEST_ROWS.filter(isSameInPieces), checkRequest);
else if (what === "answers") await all(RESPONSE_ROWS, checkAnswer);
else await all(FLOODS, checkFlood);
