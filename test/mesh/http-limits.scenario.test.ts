import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AMBIENT, namespace, pod, service, sleeper } from "../local/yaml.ts";
import type { Stalled } from "../programs/http-stalls.ts";
import { onNode, serviceAccount, TalkingPods } from "./talking-pods.ts";

// How much time and room HTTP may take in the proxies: of a caller's pod, and of a called one. The limits of heads are in the tables.

const PROGRAMS = join(import.meta.dirname, "../programs");

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    sleeper("shop/client", { annotations: onNode(1) }),
    serviceAccount("shop/web"),
    pod("shop/web", ["node", join(PROGRAMS, "http-stall-servers.ts")], {
      labels: { app: "web" },
      annotations: onNode(2),
      spec: { serviceAccountName: "web" },
    }),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
  "services.yaml": service("shop/web", {
    selector: { app: "web" },
    ports: [
      { name: "http", port: 8100 },
      { name: "http2", port: 8101 },
      { name: "http2-beyond", port: 8102 },
    ],
  }),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

/** What two or three proxies and as many sockets may hold of it: windows that have grown, and the kernel's buffers. */
const HELD_SHARE = 0.5;

const run = async (from: string, program: string, what: string): Promise<unknown> => {
  const said = await mesh.exec(from, "node", join(PROGRAMS, program), what, await mesh.address("shop/web"));
  try {
    return JSON.parse(said) as unknown;
  } catch {
    throw new Error(`${program} ${what} in ${from} said: ${said}`);
  }
};

test("who does not come to the end of a head is told so, and others are served meanwhile", async () => {
  const slow = ["shop/client", "outside/stranger"].map((from) => run(from, "http-limits.ts", "slow"));
  const told = {
    head: expect.stringMatching(/^HTTP\/1\.1 408 /) as unknown,
    preface: "GOAWAY last 0 code 4",
    block: "GOAWAY last 0 code 11",
    others: [""],
  };
  expect(await Promise.all(slow)).toEqual([told, told]);
});

describe.each([
  ["a pod of the mesh", "shop/client"],
  ["a pod outside of it", "outside/stranger"],
] as const)("%s", (_, from) => {
  test("that sends more than a stream's window has its stream reset, and goes on", async () => {
    expect(await run(from, "http-limits.ts", "stream")).toEqual({
      error: "RST_STREAM 1 code 3",
      next: "HEADERS 3 END_STREAM",
    });
  });

  test("that sends more than the connection's window loses its connection", async () => {
    expect(await run(from, "http-limits.ts", "connection")).toEqual({ error: "GOAWAY last N code 3", others: "" });
  });

  test("gets a broken answer of an application that sends more than the window", async () => {
    expect(await run(from, "http-limits.ts", "answer")).toEqual({
      hasHead: true,
      error: expect.stringMatching(/^RST_STREAM 1 code /),
      resets: ["RST_STREAM 1 code 3"],
    });
  });

  test.each([
    ["does not read an answer of HTTP/1", "down1"],
    ["does not read answers of HTTP/2", "down2"],
    ["sends in HTTP/1 to an application that does not read", "up1"],
    ["sends in HTTP/2 to an application that does not read", "up2"],
  ])("that %s holds up who writes, and all of it comes when it is read", async (__, what) => {
    const { taken, bytes, isWhole } = (await run(from, "http-stalls.ts", what)) as Stalled;
    expect(isWhole).toBe(true);
    expect(taken).toBeLessThan(bytes * HELD_SHARE);
  });
});
