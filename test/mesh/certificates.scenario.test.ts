import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as encode from "#certs/x509/asn1/encode.ts";
import { leafExtensions, uris } from "#certs/testing/hostile-certificate.ts";
import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { AuthorityStatus } from "#mesh/admin/control-plane-status.ts";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { IssuedFiles } from "./issued-files.ts";
import { type LoadCounts, onNode, serverPod, serviceAccount, TalkingPods } from "./talking-pods.ts";

const pods = (web: string): string =>
  [
    sleeper("shop/client", { annotations: onNode(1) }),
    web,
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join("");

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": pods(serverPod("shop/web", 2)),
});
const files = new IssuedFiles();

const LIFETIME_MS = 8_000;
const slowly = { timeout: 60_000, interval: 500 };

beforeAll(() => mesh.upAndReady("--leaf-lifetime", `${LIFETIME_MS}ms`));
afterAll(async () => {
  files.dispose();
  await mesh.dispose();
});

/** What a tunnel client that is no part of the mesh saw. */
interface Seen {
  readonly status?: number;
  readonly goaway?: number;
  readonly serial: string;
  readonly certificate?: string;
  readonly key: string;
  /** Fingerprint of the certificate that signed the leaf. */
  readonly issuer: string;
}

const tunnel = async (wish: object = {}): Promise<Seen> => {
  const program = join(import.meta.dirname, "../programs/hbone-client.ts");
  const host = await mesh.address("shop/web");
  const full = JSON.stringify({ host, headers: { ":authority": `${host}:8080` }, ...wish });
  return JSON.parse((await mesh.exec("outside/stranger", "node", program, full)).split("\n").at(-1) ?? "") as Seen;
};

const authority = async (...command: readonly string[]): Promise<AuthorityStatus> =>
  (JSON.parse((await mesh.heddle("certs", "-o", "json", ...command)).stdout) as { readonly authority: AuthorityStatus })
    .authority;

const fingerprint = (text: string): string => text.replaceAll(":", "").toLowerCase();

const SECONDS_UNDER_LOAD = 45;

test("certificates are renewed with new keys, also under a new root, and no connection notices", async () => {
  const address = await mesh.address("shop/web");
  const [held, before] = [await mesh.hold("shop/client", address, 8085, 5), await authority()];
  const load = mesh.client<LoadCounts>("shop/client", "load", address, 8080, SECONDS_UNDER_LOAD, 4, 20);
  const end = performance.now() + SECONDS_UNDER_LOAD * 1_000;
  expect((await mesh.heddle("certs", "rotate-root")).code).toBe(0);
  const seen: Seen[] = [];
  while (performance.now() < end) {
    seen.push(await tunnel());
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const { ok, ...failed } = await load;
  expect(failed).toEqual({ refused: 0, reset: 0, other: 0, direct: 0 });
  expect(ok).toBeGreaterThan(100);
  expect(await held.end()).toEqual({ echoed: 5, survivors: 5 });
  // On the wire: at least one renewal in each lifetime, each with a key of its own.
  const serials = new Set(seen.map(({ serial }) => serial));
  expect(serials.size).toBeGreaterThanOrEqual(Math.floor((SECONDS_UNDER_LOAD * 1_000) / LIFETIME_MS));
  expect(new Set(seen.map(({ key }) => key)).size).toBe(serials.size);
  const after = await authority();
  expect(after.rotation.kind).toBe("retiring");
  const signing = ({ roots }: AuthorityStatus) => roots.find(({ state }) => state === "signing")?.fingerprint;
  expect(signing(after)).not.toBe(signing(before));
  expect(seen.map(({ issuer }) => fingerprint(issuer))).toEqual(
    expect.arrayContaining([before.issuing.fingerprint, after.issuing.fingerprint]),
  );
  expect(fingerprint(seen.at(-1)?.issuer ?? "")).toBe(after.issuing.fingerprint);
});

test("a pod that gets another service account is another from then on, and what was open to it as the old one ends", async () => {
  const before = await mesh.address("shop/web");
  const old = await mesh.hold("shop/client", before, 8085, 3);
  const changed = serverPod("shop/web", 2).replace('"serviceAccountName":"web"', '"serviceAccountName":"shop-window"');
  mesh.write("pods.yaml", pods(serviceAccount("shop/shop-window") + changed));
  await expect.poll(async () => (await mesh.pod("shop/web"))?.serviceAccount, slowly).toBe("shop-window");
  expect(await old.end()).toEqual({ echoed: 3, survivors: 0 });
  const asked = async () => mesh.client("shop/client", "ask", await mesh.address("shop/web"), 8080);
  await expect.poll(asked, slowly).not.toHaveProperty("error");
  const named = () => mesh.accessLog(1).findLast(({ event }) => event === "closed")?.["dst.identity"];
  await expect.poll(named, slowly).toBe("spiffe://cluster.local/ns/shop/sa/shop-window");
  expect((await tunnel()).certificate).toBe("URI:spiffe://cluster.local/ns/shop/sa/shop-window");
  // Nobody is the old one any more, and its key is forgotten.
  const { certificates } = JSON.parse((await mesh.heddle("certs", "-o", "json")).stdout) as {
    readonly certificates: readonly CertificateStatus[];
  };
  expect(certificates.map(({ identity }) => identity).sort()).toEqual(
    ["default", "shop-window"].map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`),
  );
});

test("a tunnel connection is drained when the certificate of its caller ends, and not before", async () => {
  const until = (milliseconds: number): object =>
    files.issueWrong(mesh.state, `ends-in-${milliseconds}`, {
      notAfter: encode.time(Date.now() + milliseconds),
      extensions: leafExtensions([uris("spiffe://cluster.local/ns/outside/sa/visitor")]),
    });
  const [brief, long] = await Promise.all(
    [5_000, 60_000].map((milliseconds) => tunnel({ ...until(milliseconds), waitMs: 7_000 })),
  );
  expect([brief?.status, brief?.goaway]).toEqual([200, 0]);
  expect([long?.status, long?.goaway]).toEqual([200, undefined]);
});
