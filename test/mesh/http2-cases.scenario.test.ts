import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AMBIENT, namespace, pod, service, sleeper } from "../local/yaml.ts";
import { HTTP2_PORTS, SEEN_PORT } from "../programs/http2-case-rows.ts";
import { onNode, serviceAccount, TalkingPods } from "./talking-pods.ts";

// The tables of HTTP/2, where the caller's proxy reads them, the called pod's, or both.

const PROGRAMS = join(import.meta.dirname, "../programs");
const PORTS = [
  ...HTTP2_PORTS.map((port) => ({ name: `http2-${port}`, port })),
  { name: `http-${SEEN_PORT}`, port: SEEN_PORT },
];

const cases = (key: string): string =>
  serviceAccount(key) +
  pod(key, ["node", join(PROGRAMS, "http2-case-servers.ts")], {
    labels: { app: "cases" },
    annotations: onNode(2),
    spec: { serviceAccountName: "cases" },
  });

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    sleeper("shop/client", { annotations: onNode(1) }),
    cases("shop/cases"),
    sleeper("outside/stranger", { annotations: onNode(1) }),
    cases("outside/cases"),
  ].join(""),
  "services.yaml": ["shop/cases", "outside/cases"]
    .map((key) => service(key, { selector: { app: "cases" }, ports: PORTS }))
    .join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

describe.each([
  ["through a tunnel", "shop/client", "shop/cases"],
  ["in clear to a pod of the mesh", "outside/stranger", "shop/cases"],
  ["in clear to a pod outside of it", "shop/client", "outside/cases"],
] as const)("the tables of HTTP/2, %s", (_, from, to) => {
  const problems = async (what: "requests" | "pieces" | "answers" | "floods"): Promise<unknown> => {
    const said = await mesh.exec(from, "node", join(PROGRAMS, "http2-cases.ts"), what, await mesh.address(to));
    return (JSON.parse(said) as { readonly problems: unknown }).problems;
  };

  test("what the codec refuses of requests is refused, what it accepts arrives unchanged", async () => {
    expect(await problems("requests")).toEqual([]);
  });

  test("the same holds byte by byte", async () => {
    expect(await problems("pieces")).toEqual([]);
  });

  test("what it refuses of answers is refused, what it accepts arrives unchanged", async () => {
    expect(await problems("answers")).toEqual([]);
  });

  test("floods end their connection", async () => {
    expect(await problems("floods")).toEqual([]);
  });
});
