import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as encode from "#certs/x509/asn1/encode.ts";
import { leafExtensions, uris } from "#certs/testing/hostile-certificate.ts";
import type { AuthorityStatus } from "#mesh/admin/control-plane-status.ts";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { IssuedFiles } from "./issued-files.ts";
import { type LoadCounts, onNode, serverPod, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    sleeper("shop/client", { annotations: onNode(1) }),
    serverPod("shop/web", 2),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
});
const files = new IssuedFiles();

const LIFETIME_MS = 8_000;

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
  expect(ok).toBeGreaterThan(500);
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
