import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Inventory } from "#mesh/admin/inventory.ts";
import { systemClock } from "#mesh/clock.ts";
import { UnixClient } from "../socket/unix-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { InventoryFeed } from "./inventory-feed.ts";

const inventory = (version: string): Inventory => ({ version, namespaces: [], pods: [], services: [] });

const feedFrom = (
  answer: (asked: string, response: ServerResponse) => void,
  carryOut: (version: string) => void = () => {},
) => {
  const path = join(temporaryFolder(), "admin.sock");
  const questions: string[] = [];
  const server = createServer((request, response) => {
    questions.push(request.url ?? "");
    answer(new URL(request.url ?? "", "http://x").searchParams.get("after") ?? "", response);
  });
  const received: string[] = [];
  const feed = new InventoryFeed({
    controlPlane: new UnixClient(path),
    clock: systemClock,
    random: () => 0.5,
    onInventory: ({ version }) => {
      received.push(version);
      carryOut(version);
    },
  });
  onTestFinished(() => {
    feed.close();
    server.closeAllConnections();
    server.close();
  });
  const listen = (): void => void server.listen(path);
  return { feed, received, questions, listen };
};

test("every version is heard once, and the next question names it", async () => {
  const versions = ["a", "a", "b"];
  const { feed, received, questions, listen } = feedFrom((_, response) => {
    const version = versions.shift();
    if (version !== undefined) response.end(JSON.stringify(inventory(version)));
  });
  listen();
  void feed.run();
  await expect.poll(() => questions.length).toBe(4);
  expect(received).toEqual(["a", "b"]);
  expect(questions.map((url) => url.split("&")[0])).toEqual([
    "/inventory?after=",
    "/inventory?after=a",
    "/inventory?after=a",
    "/inventory?after=b",
  ]);
});

test("a control plane that is away is asked again, and the answer missed by nobody", async () => {
  const { feed, received, listen } = feedFrom((after, response) => {
    if (after === "") response.end(JSON.stringify(inventory("a")));
  });
  void feed.run();
  await expect.poll(() => feed.problem).toBe("it is not running");
  expect(feed.hasInventory).toBe(false);
  listen();
  await expect.poll(() => received).toEqual(["a"]);
  expect([feed.problem, feed.hasInventory]).toEqual([undefined, true]);
});

test("a control plane that is back is known to be back at once, though it has no news", async () => {
  let isBroken = false;
  const { feed, questions, listen } = feedFrom((after, response) => {
    if (isBroken) response.writeHead(500).end(JSON.stringify({ error: "not now" }));
    else if (after === "" || questions.at(-1)?.endsWith("waitMs=0")) response.end(JSON.stringify(inventory("a")));
    else setTimeout(() => response.writeHead(500).end(), 20);
  });
  listen();
  void feed.run();
  await expect.poll(() => feed.hasInventory).toBe(true);
  isBroken = true;
  await expect.poll(() => feed.problem).toBe("not now");
  isBroken = false;
  await expect.poll(() => feed.problem).toBeUndefined();
});

test("an error of the control plane changes nothing, and is told", async () => {
  const { feed, received, listen } = feedFrom((after, response) => {
    if (after === "") response.end(JSON.stringify(inventory("a")));
    else response.writeHead(500).end(JSON.stringify({ error: "the folder is gone" }));
  });
  listen();
  void feed.run();
  await expect.poll(() => feed.problem).toBe("the folder is gone");
  expect(received).toEqual(["a"]);
});

test("what could not be carried out is told, and tried again", async () => {
  let isFull = true;
  const { feed, received, listen } = feedFrom(
    (after, response) => {
      if (after === "") response.end(JSON.stringify(inventory("a")));
    },
    () => {
      if (isFull) throw new Error("no space left on device");
    },
  );
  listen();
  void feed.run();
  await expect.poll(() => feed.problem).toContain("no space left on device");
  isFull = false;
  await expect.poll(() => feed.hasInventory).toBe(true);
  expect(received.length).toBeGreaterThan(1);
});
