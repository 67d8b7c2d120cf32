import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { temporaryFolder } from "#local/testing/temporary-folder.ts";

/** The command as people run it, by a user of whom no mesh is up. */
const heddle = async (...args: readonly string[]) => {
  const child = spawn(join(import.meta.dirname, "../bin/heddle"), args, {
    env: { ...process.env, XDG_STATE_HOME: temporaryFolder() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { stdout, stderr, code: code as number };
};

const COMMANDS = [
  "up",
  "down",
  "status",
  "exec",
  "logs",
  "upgrade",
  "routes",
  "explain request",
  "certs",
  "certs rotate-root",
  "certs rotate-issuing",
];

test.each(COMMANDS)("%s explains itself with examples, and has json", async (command) => {
  const { stdout, code } = await heddle(...command.split(" "), "--help");
  expect(code).toBe(0);
  expect(stdout).toMatch(/Examples?:\n {2}\S/);
  expect(stdout).toContain("-o, --output <format>");
});

test.each([
  ["no such command", ["frobnicate"], "unknown command"],
  ["no such option", ["status", "--colour"], "unknown option"],
  ["an output that does not exist", ["status", "-o", "xml"], "Allowed choices are text, json"],
  ["too many nodes", ["up", ".", "--nodes", "51"], "1 to 50 are possible"],
  ["no number of workers", ["up", ".", "--workers", "many"], "1 to 32 are possible"],
  ["a trust domain that is none", ["up", ".", "--trust-domain", "Example Org"], "is not a trust domain"],
  ["a lifetime that is none", ["up", ".", "--leaf-lifetime", "a day"], "is not a duration"],
  ["a lifetime that no certificate can have", ["up", ".", "--leaf-lifetime", "1ms"], "5s to 2160h are possible"],
  ["a level that is none", ["up", ".", "--log-level", "bogus"], "Allowed choices are debug, info, warn, error"],
  ["a namespace that is none", ["up", ".", "--root-namespace", "A B!"], "is not a name: lower-case letters"],
  ["a name that is none", ["up", ".", "--name", "../etc"], "cannot name a mesh"],
  ["a folder that is none", ["up", "/no/such/folder"], "/no/such/folder is no folder with objects"],
  ["a file in place of a folder", ["up", "/etc/passwd"], "/etc/passwd is not a folder"],
  ["a time to drain that is none", ["upgrade", "--drain-seconds", "-1"], "0 to 86400 are possible"],
  ["no Service", ["routes", "web"], "names no Service"],
  ["a time that is none", ["routes", "--during", "0"], "1 to 3600 are possible"],
  ["a header that is none", ["explain", "request", "-H", "x"], "'name: value'"],
  ["a request from nowhere", ["explain", "request", "--to", "http://web/"], "--from"],
  ["a request from no pod", ["explain", "request", "--from", "web-0", "--to", "http://web/"], "names no pod"],
  ["no pod", ["exec", "web-0", "--", "ls"], "names no pod"],
  ["no command", ["exec", "shop/web-0"], "missing required argument"],
  ["a terminal and json", ["exec", "-t", "-o", "json", "shop/web-0", "--", "ls"], "leave one out"],
  ["nobody's log", ["logs"], "say whose log"],
  ["the access log of a pod", ["logs", "shop/web-0", "--access"], "with --node"],
  ["the access log of the control plane", ["logs", "--control-plane", "--access"], "with --node"],
  ["two logs", ["logs", "shop/web-0", "--node", "node-1"], "say whose log"],
] as const)("%s is a mistake of the command line: exit code 2", async (_, args, complaint) => {
  const { stderr, code } = await heddle(...args);
  expect(stderr).toContain(complaint);
  expect(code).toBe(2);
});

test.each([
  [["status", "--name", "no-such-mesh"], "no mesh called no-such-mesh is up"],
  [["upgrade", "--name", "no-such-mesh"], "no mesh called no-such-mesh is up"],
  [["down", "--name", "no-such-mesh"], "heddle up DIR --name no-such-mesh"],
] as const)("%j of a mesh that is not up ends with exit code 4", async (args, complaint) => {
  const { stderr, code } = await heddle(...args);
  expect(stderr).toContain(complaint);
  expect(code).toBe(4);
});
