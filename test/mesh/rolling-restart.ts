import { setTimeout as wait } from "node:timers/promises";
import { RequestTally } from "./request-tally.ts";
import { orderlyPod, orderlyService, RequestingPods } from "./requesting-pods.ts";

const REPLICAS = [0, 1, 2];
export const CALLERS = 2;
/** A pod counts as ready when its process runs: until it listens, callers must find another. */
const LISTEN_AFTER_MS = 500;

const replica = (index: number, version: number): string =>
  orderlyPod(`shop/web-${index}`, (index % 2) + 1, "web", {
    VERSION: String(version),
    LISTEN_AFTER_MS: String(LISTEN_AFTER_MS),
  });

const file = (index: number): string => `web-${index}.yaml`;

/** `shop/web`, of three pods on two nodes. */
export const threeReplicas = (): RequestingPods =>
  new RequestingPods({
    ...Object.fromEntries(REPLICAS.map((index) => [file(index), replica(index, 0)])),
    "services.yaml": orderlyService("shop/web", { app: "web" }),
  });

/** Replaces each pod by one of the next version, one after the other, so many times under load. */
export const restartAll = async (mesh: RequestingPods, rounds: number): Promise<RequestTally> => {
  const load = await mesh.requests("web", CALLERS);
  const tally = new RequestTally(load);
  await tally.more(20);
  for (let version = 1; version <= rounds; version++) {
    for (const index of REPLICAS) {
      const before = (await mesh.pod(`shop/web-${index}`))?.uid;
      mesh.write(file(index), replica(index, version));
      await tally.until(`web-${index} is another`, async () => {
        const pod = await mesh.pod(`shop/web-${index}`);
        return pod?.uid !== before && pod?.ready === true;
      });
      const name = `web-${index}`;
      const answered = tally.by(name);
      await tally.until(`${name} answers again`, () => tally.by(name) > answered);
      await wait(LISTEN_AFTER_MS);
    }
  }
  await tally.look();
  load.end();
  return tally;
};
