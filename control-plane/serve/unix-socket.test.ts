import { statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { clearSocketPath, listenPrivately } from "./unix-socket.ts";

const listening = async (path: string): Promise<Server> => {
  const server = createServer();
  onTestFinished(() => void server.close());
  const started = listenPrivately(server, path);
  // At once: a socket that is restricted later could have been opened before.
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await started).toEqual({ ok: true, value: undefined });
  return server;
};

test("a socket is for its owner alone, and other files keep their modes", async () => {
  const directory = temporaryDirectory();
  const mask = process.umask();
  await listening(join(directory, "a.sock"));
  writeFileSync(join(directory, "b"), "");
  expect(statSync(join(directory, "b")).mode & 0o777).toBe(0o666 & ~mask);
});

test("a path where nothing is, not even its folder, is free", async () => {
  const path = join(temporaryDirectory(), "new", "a.sock");
  expect(await clearSocketPath(path)).toEqual({ ok: true, value: undefined });
  await listening(path);
});

test("a socket that somebody listens on is left alone", async () => {
  const path = join(temporaryDirectory(), "a.sock");
  await listening(path);
  expect(await clearSocketPath(path)).toEqual({
    ok: false,
    error: `another process listens on ${path}; stop it first`,
  });
});

test("a socket left over from a crash is removed", async () => {
  const path = join(temporaryDirectory(), "a.sock");
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  expect(statSync(path).isSocket()).toBe(true);
  expect(await clearSocketPath(path)).toEqual({ ok: true, value: undefined });
  await listening(path);
});

test("a file that is no socket is left alone", async () => {
  const path = join(temporaryDirectory(), "a.sock");
  writeFileSync(path, "precious");
  expect(await clearSocketPath(path)).toEqual({ ok: false, error: `${path} is there and is no socket; move it away` });
});
