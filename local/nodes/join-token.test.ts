import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { UnixClient } from "../socket/unix-client.ts";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { JoinToken } from "./join-token.ts";

/** A control plane that gives out `token-1`, `token-2`... while it is not broken. */
const keeping = () => {
  const folder = temporaryFolder();
  const asked: unknown[] = [];
  const controlPlane = { isBroken: false };
  const server = createServer((request, response) => {
    void json(request).then((question) => {
      asked.push(question);
      if (controlPlane.isBroken) response.writeHead(500).end("{}");
      else response.end(JSON.stringify({ token: `token-${asked.length}` }));
    });
  }).listen(join(folder, "admin.sock"));
  const path = join(folder, "join-token");
  const clock = new ManualClock();
  const token = new JoinToken({
    node: "node-1",
    path,
    uid: process.getuid?.() ?? 0,
    controlPlane: new UnixClient(join(folder, "admin.sock")),
    clock,
    random: () => 0.5,
  });
  onTestFinished(() => {
    token.close();
    server.closeAllConnections();
    server.close();
  });
  return { token, clock, asked, controlPlane, written: () => readFileSync(path, "utf8"), path };
};

const HALF_LIFE_MS = 1_800_000;

test("a node's token is there for its agent, and for nobody else", async () => {
  const { token, asked, written, path } = keeping();
  await token.keep();
  await token.present;
  expect(asked).toEqual([{ node: "node-1", ttlSeconds: 3_600 }]);
  expect([written(), statSync(path).mode & 0o777]).toEqual(["token-1", 0o400]);
});

test("a token is renewed at half its life", async () => {
  const { token, clock, written } = keeping();
  await token.keep();
  expect(clock.delaysMs).toEqual([HALF_LIFE_MS]);
  await clock.pass(HALF_LIFE_MS);
  await expect.poll(written).toBe("token-2");
});

test("while none can be had the old one stays, and another is asked for again and again", async () => {
  const { token, clock, asked, controlPlane, written } = keeping();
  await token.keep();
  controlPlane.isBroken = true;
  await clock.pass(HALF_LIFE_MS);
  await expect.poll(() => clock.delaysMs).toEqual([50]);
  await clock.pass(50);
  await expect.poll(() => clock.delaysMs).toEqual([100]);
  expect([asked.length, written()]).toEqual([3, "token-1"]);
  controlPlane.isBroken = false;
  await clock.pass(100);
  await expect.poll(written).toBe("token-4");
});
