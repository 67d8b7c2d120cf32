import { lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { err, ok, type Result } from "#mesh/result.ts";
import { errorText } from "../log.ts";

/**
 * Makes way for a listener on a unix socket: a socket that nobody listens on is left over from a crash and removed; one that
 * somebody listens on is an error, and so is a file of another sort.
 */
export const clearSocketPath = async (path: string): Promise<Result<undefined, string>> => {
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (!lstatSync(path).isSocket()) return err(`${path} is there and is no socket; move it away`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT"
      ? ok(undefined)
      : err(`cannot use ${path}: ${errorText(error)}`);
  }
  if (await isListening(path)) return err(`another process listens on ${path}; stop it first`);
  unlinkSync(path);
  return ok(undefined);
};

/** Listens on a socket that only its owner may connect to, from the first moment on. */
export const listenPrivately = async (server: Server, path: string): Promise<Result<undefined, string>> =>
  new Promise((resolve) => {
    server.once("error", (error) => resolve(err(`cannot listen on ${path}: ${errorText(error)}`)));
    // The socket is made within this call, so that nothing else is made under this mask.
    const mask = process.umask(0o177);
    server.listen(path, () => resolve(ok(undefined)));
    process.umask(mask);
  });

const isListening = async (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const answer = (value: boolean) => (): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", answer(true));
    socket.once("error", (error: NodeJS.ErrnoException) => answer(error.code === "EAGAIN")());
  });
