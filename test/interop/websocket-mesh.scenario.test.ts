import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, pod, service, sleeper } from "../local/yaml.ts";
import { onNode, TalkingPods } from "../mesh/talking-pods.ts";

// Client and servers are ws, which knows nothing of the mesh between them.

const PROGRAMS = join(import.meta.dirname, "../programs");

const server = (name: string): string =>
  pod(`shop/${name}`, ["node", join(PROGRAMS, "ws-server.ts")], { labels: { app: name }, annotations: onNode(2) }) +
  service(`shop/${name}`, { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }] });

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT),
  "pods.yaml": sleeper("shop/client", { annotations: onNode(1) }) + server("one") + server("two"),
});
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

/** Has `one` answered by somebody. */
const routeTo = (name: string): void =>
  mesh.write(
    "route.yaml",
    JSON.stringify({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { namespace: "shop", name: "one" },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "one" }],
        rules: [{ backendRefs: [{ name, port: 80 }] }],
      },
    }),
  );

/** Holds a WebSocket open, something always under way on it. */
const hold = async () => {
  const child = mesh.spawn(
    "exec",
    "-i",
    "shop/client",
    "--",
    "node",
    join(PROGRAMS, "ws-client.ts"),
    "hold",
    "ws://one",
  );
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => ((await lines.next()) as { readonly value?: string }).value ?? "";
  const first = await next();
  return {
    first,
    end: async (): Promise<object> => {
      child.stdin.end();
      return JSON.parse(await next()) as object;
    },
  };
};

test("messages, pings, subprotocol, compression, closing and refusal are as without the mesh", async () => {
  const output = await mesh.exec("shop/client", "node", join(PROGRAMS, "ws-client.ts"), "exact", "ws://one");
  expect(JSON.parse(output)).toEqual({
    text: "grüß dich",
    isTextBinary: false,
    isEqual: true,
    isBinary: true,
    empty: 0,
    pong: "are you there",
    protocol: "chat",
    extensions: "permessage-deflate",
    close: [4_000, "done"],
    end: [4_001, "enough"],
    refused: 401,
  });
});

test("a WebSocket stays up while the routes under it change, and the next one follows them", async () => {
  const before = await hold();
  expect(before.first).toBe("one");
  const who = (): Promise<string> => mesh.exec("shop/client", "curl", "-s", "http://one/");
  for (const name of ["two", "one", "two"]) {
    routeTo(name);
    await expect.poll(who, { timeout: 15_000 }).toBe(name);
  }
  const after = await hold();
  expect(after.first).toBe("two");
  for (const held of [before, after]) expect(await held.end()).toEqual({ ended: "open", lost: 0 });
});
