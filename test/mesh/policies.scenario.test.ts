import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { onNode, serverPod, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("other", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    sleeper("other/client", { annotations: onNode(1) }),
    serverPod("shop/web", 2, { app: "web" }),
    serverPod("shop/api", 2, { app: "api" }),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const soon = { timeout: 30_000 };

interface PeerAuthenticationSpec {
  readonly mtls?: { readonly mode: string };
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly portLevelMtls?: Readonly<Record<number, { readonly mode: string }>>;
}

const peerAuthentication = (key: string, spec: PeerAuthenticationSpec): string => {
  const [namespace, name] = key.split("/");
  return `---\n${JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { namespace, name },
    spec,
  })}\n`;
};

const STRICT = { mode: "STRICT" };
const PERMISSIVE = { mode: "PERMISSIVE" };
const ofWeb = { matchLabels: { app: "web" } };

/** Whether a pod outside the mesh gets an answer on each of these ports. */
const strangerReaches = async (pod: string, ...ports: readonly number[]): Promise<readonly boolean[]> => {
  const address = await mesh.address(pod);
  const outcomes = await Promise.all(ports.map((port) => mesh.client("outside/stranger", "upload", address, port, 3)));
  return outcomes.map(({ error, bytes = 0 }) => error === undefined && bytes > 0);
};

beforeEach(() => mesh.write("policy.yaml", "# none\n---\n"));

// Workload over namespace over mesh; a port over its workload (PeerAuthentication, and what Istio makes of it in ambient mode).
test.each<[string, string, readonly boolean[], readonly boolean[]]>([
  ["nothing: PERMISSIVE", "", [true, true], [true, true]],
  ["STRICT for the mesh", peerAuthentication("istio-system/default", { mtls: STRICT }), [false, false], [false, false]],
  ["STRICT for the namespace", peerAuthentication("shop/default", { mtls: STRICT }), [false, false], [false, false]],
  ["STRICT for another namespace", peerAuthentication("other/default", { mtls: STRICT }), [true, true], [true, true]],
  [
    "STRICT for the mesh, PERMISSIVE for the namespace",
    peerAuthentication("istio-system/default", { mtls: STRICT }) +
      peerAuthentication("shop/default", { mtls: PERMISSIVE }),
    [true, true],
    [true, true],
  ],
  [
    "STRICT for the namespace, PERMISSIVE for one workload",
    peerAuthentication("shop/default", { mtls: STRICT }) +
      peerAuthentication("shop/web", { selector: ofWeb, mtls: PERMISSIVE }),
    [true, true],
    [false, false],
  ],
  [
    "STRICT for the namespace, DISABLE for one workload",
    peerAuthentication("shop/default", { mtls: STRICT }) +
      peerAuthentication("shop/web", { selector: ofWeb, mtls: { mode: "DISABLE" } }),
    [true, true],
    [false, false],
  ],
  [
    "PERMISSIVE with one port STRICT",
    peerAuthentication("shop/web", { selector: ofWeb, portLevelMtls: { 8081: STRICT } }),
    [true, false],
    [true, true],
  ],
  [
    "STRICT with one port PERMISSIVE",
    peerAuthentication("shop/web", { selector: ofWeb, mtls: STRICT, portLevelMtls: { 8081: PERMISSIVE } }),
    [false, true],
    [true, true],
  ],
])("%s", async (_, yaml, web, api) => {
  mesh.write("policy.yaml", `# none\n---\n${yaml}`);
  await expect
    .poll(
      async () => [await strangerReaches("shop/web", 8080, 8081), await strangerReaches("shop/api", 8080, 8081)],
      soon,
    )
    .toEqual([web, api]);
  // Mutual TLS is always enough.
  expect((await mesh.ask("other/client", await mesh.address("shop/web"))).pod).toBe("web");
  expect((await mesh.ask("other/client", await mesh.address("shop/api"))).pod).toBe("api");
});

test("plaintext under STRICT is refused with a reset, and log and metric say why", async () => {
  mesh.write("policy.yaml", peerAuthentication("shop/default", { mtls: STRICT }));
  const address = await mesh.address("shop/web");
  // Asked again and again: an earlier policy may still have refused the first.
  await expect
    .poll(async () => {
      const { error } = await mesh.client("outside/stranger", "ask", address, 8080);
      return { error, line: mesh.accessLog(2).findLast((line) => line.event === "failed") };
    }, soon)
    .toMatchObject({
      error: "ECONNRESET",
      line: {
        reason: "plaintext-refused",
        policy: "istio-system/istio_converted_static_strict",
        error: "plaintext, but istio-system/istio_converted_static_strict requires mutual TLS",
        response_flags: "DENY",
        "src.workload": "stranger",
        "dst.workload": "web",
        connection_security_policy: "none",
      },
    });
  await expect
    .poll(
      async () =>
        (await mesh.metrics(2, "outside/stranger")).find(
          ({ name, labels }) => name === "heddle_connections_refused_total" && labels.reason === "plaintext-refused",
        )?.value,
      soon,
    )
    .toBeGreaterThan(0);
});

/** What is wrong. That isolation is reduced, where it is, is a notice. */
const problems = async () => (await mesh.status()).findings.filter(({ severity }) => severity !== "notice");

test("a policy that cannot be read keeps the last good one in force, and status says what is wrong", async () => {
  const strict = peerAuthentication("shop/default", { mtls: STRICT });
  mesh.write("policy.yaml", strict);
  await expect.poll(() => strangerReaches("shop/web", 8080), soon).toEqual([false]);
  mesh.write("policy.yaml", strict.replace("STRICT", "STRIKT"));
  await expect
    .poll(async () => (await mesh.status()).findings.map(({ text }) => text).join(), soon)
    .toContain("STRIKT");
  expect(await strangerReaches("shop/web", 8080)).toEqual([false]);
  // Half of a file, as an editor may leave it for a moment.
  mesh.write("policy.yaml", strict.slice(0, strict.length / 2));
  await expect.poll(async () => await problems(), soon).not.toEqual([]);
  expect(await strangerReaches("shop/web", 8080)).toEqual([false]);
  mesh.write("policy.yaml", strict);
  await expect.poll(async () => await problems(), soon).toEqual([]);
});
