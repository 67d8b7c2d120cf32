/**
 * Clients and servers that do not read for a while: `http-stalls.ts down1|down2|up1|up2 HOST`, where HOST has the ports of
 * http-stall-servers.ts. Prints {@link Stalled} as JSON.
 */
import { get, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { createHash } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { patternDigest, piece, PIECE, type StallReport } from "./http-stall-servers.ts";

/** What came of content that was not read at first. */
export interface Stalled {
  /** Bytes that its writer got rid of before anybody read. */
  readonly taken: number;
  readonly bytes: number;
  /** Whether it was the same when it was read. */
  readonly isWhole: boolean;
}

const [, , what = "", host = ""] = process.argv;
const [HTTP1, HTTP2] = [8100, 8101] as const;

const ask = (path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get({ host, port: HTTP1, path, agent: false }, (answer) => void text(answer).then(resolve, reject)).on(
      "error",
      reject,
    );
  });
const written = async (): Promise<number> => (JSON.parse(await ask("/report")) as StallReport).written;

/** @param more tells how much moved since it was last asked. @returns how much did, when nothing moves any more */
const settled = async (more: () => Promise<number> | number): Promise<number> => {
  for (let sum = 0, now = await more(); ; now = await more()) {
    if (sum > 0 && now === 0) return sum;
    sum += now;
    await delay(500);
  }
};

const digestOf = async (content: Readable): Promise<string> => {
  const hash = createHash("sha256");
  for await (const part of content) hash.update(part as Buffer);
  return hash.digest("hex");
};

const down1 = async (pieces: number): Promise<Stalled> => {
  await written();
  const answer = await new Promise<Readable>((resolve, reject) => {
    get({ host, port: HTTP1, path: `/big/${pieces}`, agent: false }, resolve).on("error", reject);
  });
  const taken = await settled(written);
  return { taken, bytes: pieces * PIECE, isWhole: (await digestOf(answer)) === patternDigest(pieces) };
};

/** Many streams of one connection. */
const down2 = async (pieces: number, streams: number): Promise<Stalled> => {
  await written();
  const session = connectHttp2(`http://${host}:${HTTP2}`);
  const answers = Array.from({ length: streams }, () => session.request({ ":path": `/big/${pieces}` }));
  const taken = await settled(written);
  const digests = await Promise.all(answers.map(digestOf));
  session.destroy();
  const right = patternDigest(pieces);
  return { taken, bytes: streams * pieces * PIECE, isWhole: digests.every((digest) => digest === right) };
};

/** Writes as much as is taken, and has it read when that is no more. */
const up = async (content: Writable, answered: Promise<Readable>, pieces: number): Promise<Stalled> => {
  let taken = 0;
  const more = (): number => {
    const now = taken;
    taken = 0;
    return now;
  };
  const write = async (): Promise<void> => {
    for (let index = 0; index < pieces; index++) {
      await new Promise<void>((resolve) => {
        content.write(piece(index), () => {
          taken += PIECE;
          resolve();
        });
      });
    }
    content.end();
  };
  const writing = write();
  const early = await settled(more);
  await ask("/go");
  await writing;
  return { taken: early, bytes: pieces * PIECE, isWhole: (await text(await answered)) === patternDigest(pieces) };
};

const up1 = (pieces: number): Promise<Stalled> => {
  const headers = { "content-length": pieces * PIECE };
  const asked = request({ host, port: HTTP1, method: "POST", path: "/wait", headers, agent: false });
  const answered = new Promise<Readable>((resolve, reject) => {
    asked.on("response", resolve);
    asked.on("error", reject);
  });
  return up(asked, answered, pieces);
};

const up2 = (pieces: number): Promise<Stalled> => {
  const asked = connectHttp2(`http://${host}:${HTTP2}`).request({ ":method": "POST", ":path": "/wait" });
  const answered = new Promise<Readable>((resolve, reject) => {
    asked.on("response", () => resolve(asked));
    asked.on("error", reject);
  });
  return up(asked, answered, pieces);
};

const MIB = (1024 * 1024) / PIECE;
const CLIENTS: Readonly<Record<string, () => Promise<Stalled>>> = {
  down1: () => down1(96 * MIB),
  down2: () => down2(4 * MIB, 20),
  up1: () => up1(96 * MIB),
  up2: () => up2(48 * MIB),
};
process.stdout.write(JSON.stringify(await CLIENTS[what]?.()));
process.exit(0);
