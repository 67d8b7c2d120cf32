import { request } from "node:http";
import type { Duplex, Readable, Writable } from "node:stream";
import { assertNever } from "#mesh/assert-never.ts";
import {
  EXEC_PROTOCOL,
  encodeFrame,
  type ExecFrame,
  ExecFrameDecoder,
  type ExecStart,
} from "#local/exec/exec-frames.ts";
import { CliFailure, EXIT } from "./failure.ts";

/** What the command in the pod is connected with. */
export interface ExecStreams {
  /** Undefined: it gets no input. */
  readonly stdin: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/**
 * Runs a command in a pod.
 * @returns its exit code
 * @throws CliFailure if it could not be started, or if the mesh went away
 */
export const execInPod = async (socketPath: string, start: ExecStart, streams: ExecStreams): Promise<number> => {
  const connection = await upgrade(socketPath);
  connection.write(encodeFrame("start", JSON.stringify(start)));
  const { stdin } = streams;
  stdin?.on("data", (chunk: Buffer) => {
    if (connection.writable && !connection.write(encodeFrame("stdin", chunk))) stdin.pause();
  });
  stdin?.on("end", () => connection.writable && connection.write(encodeFrame("stdin-end")));
  connection.on("drain", () => stdin?.resume());
  try {
    return await outcome(connection, streams);
  } finally {
    stdin?.pause();
    connection.destroy();
  }
};

const upgrade = (socketPath: string): Promise<Duplex> => {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const asked = request({
    socketPath,
    method: "POST",
    path: "/exec",
    headers: { connection: "upgrade", upgrade: EXEC_PROTOCOL },
  });
  asked.on("upgrade", (_, connection, head) => {
    connection.unshift(head);
    resolve(connection);
  });
  asked.on("error", (error) => reject(notExecuted(error.message)));
  asked.on("response", () => reject(notExecuted("the mesh speaks another protocol; it may be of another version")));
  asked.end();
  return promise;
};

const outcome = (connection: Duplex, { stdout, stderr }: ExecStreams): Promise<number> => {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const decoder = new ExecFrameDecoder();
  const write = (stream: Writable, payload: Buffer): void => {
    if (stream.write(payload)) return;
    connection.pause();
    stream.once("drain", () => connection.resume());
  };
  const take = ({ kind, payload }: ExecFrame): void => {
    switch (kind) {
      case "stdout":
        return write(stdout, payload);
      case "stderr":
        return write(stderr, payload);
      case "exit":
        return resolve(payload.readUInt32BE());
      case "error":
        return reject(notExecuted(payload.toString("utf8")));
      case "start":
      case "stdin":
      case "stdin-end":
        return undefined;
      default:
        return assertNever(kind);
    }
  };
  connection.on("data", (chunk: Buffer) => {
    const frames = decoder.push(chunk);
    if (frames.ok) frames.value.forEach(take);
    else reject(notExecuted(frames.error));
  });
  connection.on("error", (error) => reject(notExecuted(error.message)));
  connection.on("close", () => reject(notExecuted("the mesh ended while the command was running")));
  return promise;
};

const notExecuted = (message: string): CliFailure => new CliFailure(message, { exitCode: EXIT.notExecuted });
