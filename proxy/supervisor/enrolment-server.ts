import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { peerCredentials } from "../kernel/peer-credentials.ts";
import { socketDescriptor } from "../kernel/socket-descriptor.ts";
import {
  type EnrolmentAnswer,
  type EnrolmentRequest,
  formatAnswer,
  MAX_LINE_BYTES,
  parseEnrolment,
} from "./enrolment.ts";
import type { Log } from "./log.ts";

/** What enrolment is done by: {@link NodeProxy}. */
export interface Enroller {
  enrol(record: Extract<EnrolmentRequest, { kind: "enrol" }>["pod"]): Promise<void>;
  drain(uid: string): boolean;
  withdraw(uid: string): Promise<void>;
  complete(named: ReadonlySet<string>): Promise<void>;
}

/** Enrolments under way at once for one enroller; more wait in its socket. */
const MAX_CONCURRENT = 16;

/**
 * The unix socket on which whoever starts pods enrols them: JSON lines, one answer for each request, in any order of
 * different pods. Only processes of our own user may connect.
 */
export const serveEnrolment = (path: string, proxy: Enroller, log: Log): Promise<Server> => {
  // A supervisor that was killed leaves its socket behind; the folder is ours alone.
  rmSync(path, { force: true });
  const server = createServer((socket) => serve(socket, proxy, log));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
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
  let running = 0;
  const answer = (line: EnrolmentAnswer): void => {
    if (socket.writable) socket.write(formatAnswer(line));
  };
  const onLine = (line: string): void => {
    const request = parseEnrolment(line);
    if (typeof request === "string") return answer({ kind: "error", reason: request });
    if (request.kind === "enrol") named.add(request.pod.uid);
    if (++running >= MAX_CONCURRENT) socket.pause();
    void handle(request, proxy, named).then((result) => {
      if (result.kind === "refused") log("error", "a pod cannot be enrolled", { ...result });
      answer(result);
      if (--running < MAX_CONCURRENT) socket.resume();
    });
  };
  socket.on(
    "data",
    lineReader(onLine, () => socket.destroy()),
  );
};

const handle = async (
  request: EnrolmentRequest,
  proxy: Enroller,
  named: ReadonlySet<string>,
): Promise<EnrolmentAnswer> => {
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

const lineReader = (onLine: (line: string) => void, onTooLong: () => void): ((chunk: string) => void) => {
  let held = "";
  return (chunk) => {
    const lines = (held + chunk).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") onLine(line);
    if (held.length > MAX_LINE_BYTES) onTooLong();
  };
};
