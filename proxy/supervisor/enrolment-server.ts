import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { peerCredentials } from "../kernel/peer-credentials.ts";
import { socketDescriptor } from "../kernel/socket-descriptor.ts";
import {
  type DrainingSupervisor,
  type EnrolmentAnswer,
  type EnrolmentRequest,
  formatAnswer,
  MAX_LINE_LENGTH,
  parseEnrolment,
} from "./enrolment.ts";
import type { Log } from "./log.ts";

/** What enrolment is done by: {@link NodeProxy}, and what knows of a hand-over. */
export interface Enroller {
  enrol(record: Extract<EnrolmentRequest, { kind: "enrol" }>["pod"]): Promise<void>;
  drain(uid: string): boolean;
  withdraw(uid: string): Promise<void>;
  complete(named: ReadonlySet<string>): Promise<void>;
  /** What is left of an earlier supervisor. */
  readonly draining: DrainingSupervisor | undefined;
  /** Hands everything over to whoever is at the other end. @returns why not; nothing where that was answered already */
  handOver(connection: Socket, version: number): string | undefined;
}

/** The enrolment socket while it is served. */
export interface EnrolmentServer {
  /** How many are connected. */
  readonly connections: number;
  /** Leaves the path to somebody else, and lets go of everybody who is connected. */
  close(): void;
}

/** Requests under way at once for one enroller; more wait here, and then in its socket. */
const MAX_CONCURRENT = 16;

/**
 * The unix socket on which whoever starts pods enrols them: JSON lines, one answer for each request, in any order of
 * different pods. Only processes of our own user may connect.
 */
export const serveEnrolment = (path: string, proxy: Enroller, log: Log): Promise<EnrolmentServer> => {
  // A supervisor that was killed leaves its socket behind; the folder is ours alone.
  rmSync(path, { force: true });
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    serve(socket, proxy, log);
  });
  const close = (): void => {
    server.close();
    for (const socket of connections) socket.destroy();
  };
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve({
        close,
        get connections() {
          return connections.size;
        },
      });
    });
  });
};

const serve = (socket: Socket, proxy: Enroller, log: Log): void => {
  socket.on("error", () => socket.destroy());
  if (!isOwnUser(socket)) {
    log("warn", "a process of another user tried to enrol pods");
    socket.destroy();
    return;
  }
  const named = new Set<string>();
  const waiting: string[] = [];
  let running = 0;
  const answer = (line: EnrolmentAnswer, onSent: () => void = () => undefined): void => {
    if (socket.writable) socket.write(formatAnswer(line), (error) => (error ? undefined : onSent()));
  };
  const onLine = (line: string): void => {
    const request = parseEnrolment(line);
    if (typeof request === "string") return answer({ kind: "error", reason: request });
    if (request.kind === "enrol") named.add(request.pod.uid);
    if (request.kind === "withdraw") named.delete(request.uid);
    if (request.kind === "status") return answer({ kind: "status", pid: process.pid, draining: proxy.draining });
    if (request.kind === "hand-over") {
      const reason = proxy.handOver(socket, request.handOver);
      if (reason === undefined) return undefined;
      log("error", "a hand-over is refused", { reason });
      return answer({ kind: "error", reason });
    }
    void work(request);
  };
  const work = async (request: PodRequest): Promise<void> => {
    running++;
    const result = await handle(request, proxy, named);
    running--;
    if (result.kind === "refused") log("error", "an enroller's wish is refused", { ...result });
    // A paused socket does not see its end: whether the enroller is still there shows when it gets its answer.
    answer(result, takeWaiting);
  };
  const mayTake = (): boolean => running < MAX_CONCURRENT && waiting.length > 0;
  const takeWaiting = (): void => {
    while (mayTake()) onLine(waiting.shift() ?? "");
    if (waiting.length === 0) socket.resume();
    else socket.pause();
  };
  const onLines = (lines: readonly string[]): void => {
    waiting.push(...lines);
    takeWaiting();
  };
  // Whoever comes back says everything anew; what it said before must not be done after that.
  socket.once("close", () => waiting.splice(0));
  socket.setEncoding("utf8").on(
    "data",
    lineReader(onLines, () => {
      log("error", "an enroller sent a line that is too long; its connection is closed", { max: MAX_LINE_LENGTH });
      socket.destroy();
    }),
  );
};

type PodRequest = Exclude<EnrolmentRequest, { kind: "status" | "hand-over" }>;

const handle = async (request: PodRequest, proxy: Enroller, named: ReadonlySet<string>): Promise<EnrolmentAnswer> => {
  if (request.kind === "complete") {
    await proxy.complete(named).catch(() => undefined);
    return { kind: "completed" };
  }
  const uid = request.kind === "enrol" ? request.pod.uid : request.uid;
  try {
    if (request.kind === "enrol") await proxy.enrol(request.pod);
    else if (request.kind === "withdraw") await proxy.withdraw(uid);
    else if (!proxy.drain(uid)) return { kind: "refused", uid, reason: "this pod is not enrolled" };
    return { kind: ANSWERS[request.kind], uid };
  } catch (error) {
    return { kind: "refused", uid, reason: error instanceof Error ? error.message : String(error) };
  }
};

const ANSWERS = { enrol: "enrolled", drain: "draining", withdraw: "withdrawn" } as const;

/** The file system keeps others out already; the kernel's word is what counts. */
const isOwnUser = (socket: Socket): boolean => peerCredentials(socketDescriptor(socket)).uid === process.getuid?.();

const lineReader = (onLines: (lines: readonly string[]) => void, onTooLong: () => void): ((chunk: string) => void) => {
  let held = "";
  return (chunk) => {
    const lines = (held + chunk).split("\n");
    if (lines.some(({ length }) => length > MAX_LINE_LENGTH)) return onTooLong();
    held = lines.pop() ?? "";
    onLines(lines.filter((line) => line.trim() !== ""));
  };
};
