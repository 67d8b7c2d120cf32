import { afterAll, beforeAll, test } from "vitest";
import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import { RequestTally } from "./request-tally.ts";
import { orderlyPod, orderlyService, RequestingPods } from "./requesting-pods.ts";

const mesh = new RequestingPods({
  "pods.yaml": orderlyPod("shop/near", 1, "web") + orderlyPod("shop/far", 2, "web"),
  "services.yaml": orderlyService("shop/web", { app: "web" }),
});

const CALLERS = 2;
const RENEWALS = 3;

beforeAll(() => mesh.upAndReady("--leaf-lifetime", "60s"));
afterAll(() => mesh.dispose());

const serials = async (): Promise<readonly string[]> => {
  const { stdout } = await mesh.heddle("certs", "-o", "json");
  const { certificates } = JSON.parse(stdout) as { readonly certificates: readonly CertificateStatus[] };
  return certificates.map(({ serial }) => String(serial));
};

test(`certificates are renewed ${RENEWALS} times under load: no request fails, and nothing that is open at the callers ends`, async () => {
  const load = await mesh.requests("web", CALLERS);
  const tally = new RequestTally(load);
  try {
    for (let renewal = 0; renewal < RENEWALS; renewal++) {
      const before = await serials();
      await tally.until("all have another certificate", async () => {
        const now = await serials();
        return now.length === before.length && now.every((serial) => !before.includes(serial));
      });
      await tally.more(20);
    }
  } finally {
    load.end();
  }
  tally.expectUndisturbed(CALLERS);
});
