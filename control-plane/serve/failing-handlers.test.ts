import { create } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { discoveryService } from "#api/services.ts";
import { ADDRESS_TYPE } from "#api/type-urls.ts";
import { systemClock } from "#mesh/clock.ts";
import { ok, unwrap } from "#mesh/result.ts";
import { type Service, serviceName } from "#mesh/service.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { Catalog } from "../publish/catalog.ts";
import type { ResourceView } from "../publish/resource-view.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { DiscoveryService } from "./discovery-service.ts";
import { NodeRegistry } from "./node-registry.ts";
import { RefusalLog } from "./refusal-log.ts";

/** A catalog that is broken for one node, and for another only later. */
class BrokenCatalog extends Catalog {
  isBrokenLater = false;

  override view(type: string, node: string): ResourceView {
    if (node === "node-bad" || (node === "node-later" && this.isBrokenLater)) throw new Error("a mistake of ours");
    return super.view(type, node);
  }
}

const serve = async () => {
  const [log, catalog] = [memoryLog(), new BrokenCatalog()];
  const service = new DiscoveryService({
    // The token is the node's name here.
    authenticate: async (metadata) => {
      const node = String(metadata.get("authorization")[0]);
      if (node === "node-thrown") throw new Error("a mistake of ours");
      return Promise.resolve(ok({ node, expiresAt: Date.now() + 60_000 }));
    },
    strangers: new RefusalLog(log, systemClock),
    catalog,
    nodes: new NodeRegistry(unwrap(parseTrustDomain("cluster.local")), systemClock),
    clock: systemClock,
    log,
  });
  const server = new Server();
  server.addService(discoveryService, { DeltaAggregatedResources: service.serve });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return { service, catalog, log, open: (node: string) => openStream(port, node) };
};

const openStream = (port: number, node: string) => {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  const metadata = new Metadata();
  metadata.set("authorization", node);
  const { path, requestSerialize, responseDeserialize } = discoveryService.DeltaAggregatedResources;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  const responses: DeltaDiscoveryResponse[] = [];
  const send = (responseNonce: string): boolean =>
    stream.write(create(DeltaDiscoveryRequestSchema, { typeUrl: ADDRESS_TYPE, responseNonce }));
  stream.on("data", (response: DeltaDiscoveryResponse) => {
    responses.push(response);
    send(response.nonce);
  });
  const ended = new Promise<ServiceError>((resolve) => {
    stream.on("error", resolve);
  });
  send("");
  /** Resolves when so many responses have come. */
  const answered = async (count: number): Promise<void> => vi.waitFor(() => expect(responses.length).toBe(count));
  return { ended, answered };
};

const SERVICE: Service = {
  name: "web",
  namespace: "shop",
  hostname: "web.shop.svc.cluster.local",
  addresses: [],
  network: "",
  ports: [],
  sendToUnready: false,
};

test.each(["node-bad", "node-thrown"])(
  "a mistake of ours in serving %s ends its stream, tells it nothing, and no other",
  async (node) => {
    const { open, log } = await serve();
    expect(await open(node).ended).toMatchObject({ code: status.INTERNAL, details: "internal error" });
    await open("node-good").answered(1);
    expect(log.lines.filter(({ level }) => level === "error").map(({ facts }) => facts.error)).toEqual([
      "a mistake of ours",
    ]);
  },
);

test("a mistake of ours in publishing to one node does not keep it from the others", async () => {
  const { service, catalog, log, open } = await serve();
  const [later, good] = [open("node-later"), open("node-good")];
  await Promise.all([later.answered(1), good.answered(1)]);
  catalog.isBrokenLater = true;
  const none = { workloads: new Map(), policies: new Map(), routes: new Map(), backends: new Map() };
  await vi.waitFor(() => {
    service.publish(catalog.apply({ ...none, services: new Map([[serviceName(SERVICE), SERVICE]]) }));
    service.publish({ addresses: new Set([serviceName(SERVICE)]), routing: new Set() });
    expect(log.lines.some(({ message }) => message.includes("publishing to a node failed"))).toBe(true);
  });
  expect((await later.ended).code).toBe(status.UNAVAILABLE);
  await good.answered(2);
});
