import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { expect, onTestFinished, vi } from "vitest";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { IstioCertificateRequestSchema } from "#api/gen/istio/v1/auth/ca_pb.js";
import { certificateService, discoveryService } from "#api/services.ts";
import type { RunningControlPlane } from "./running-control-plane.ts";

const NAME = "heddle-control-plane.heddle-system.svc";

type Stream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
type RequestFields = MessageInitShape<typeof DeltaDiscoveryRequestSchema>;

/** A node as the control plane sees it: a real gRPC client over TLS, which answers only when a test says so. */
export class NodeClient {
  readonly #client: Client;
  readonly #metadata: Metadata;

  /** @param roots PEM; those that the control plane published by default */
  constructor(target: string, roots: Buffer, token: string, cluster = "Kubernetes", name = NAME) {
    const options = { "grpc.ssl_target_name_override": name, "grpc.max_receive_message_length": 64 * 2 ** 20 };
    this.#client = new Client(target, credentials.createSsl(roots), options);
    this.#metadata = new Metadata();
    this.#metadata.set("authorization", `Bearer ${token}`);
    this.#metadata.set("clusterid", cluster);
    onTestFinished(() => this.#client.close());
  }

  /** @param instance which of the node's sets of processes it is */
  static async join(controlPlane: RunningControlPlane, node: string, instance?: string): Promise<NodeClient> {
    const token = await controlPlane.admin.joinToken(node);
    const client = new NodeClient(controlPlane.target, publishedRoots(controlPlane), token);
    if (instance !== undefined) client.#metadata.set("heddle-instance", instance);
    return client;
  }

  openStream(): ControlStream {
    const { path, requestSerialize, responseDeserialize } = discoveryService.DeltaAggregatedResources;
    return new ControlStream(
      this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata),
    );
  }

  /** Asks for a certificate. @returns the chain, or the error */
  async certificate(
    fields: MessageInitShape<typeof IstioCertificateRequestSchema>,
  ): Promise<readonly string[] | ServiceError> {
    const { path, requestSerialize, responseDeserialize } = certificateService.CreateCertificate;
    const request = create(IstioCertificateRequestSchema, fields);
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata,
        (error, answer) => resolve(error ?? answer?.certChain ?? []),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

export const publishedRoots = ({ settings }: RunningControlPlane): Buffer =>
  readFileSync(join(settings.publicDirectory, "roots.pem"));

/** How long a response that is wanted may take, and how long one that is not is waited for. */
const SOON = { timeout: 3_000, interval: 5 };
const QUIET_MS = 150;

/** A control stream of a node. */
export class ControlStream {
  readonly responses: DeltaDiscoveryResponse[] = [];
  error: ServiceError | undefined;
  readonly #stream: Stream;
  #read = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.on("data", (response: DeltaDiscoveryResponse) => this.responses.push(response));
    stream.on("error", (error: ServiceError) => {
      this.error = error;
    });
    onTestFinished(() => stream.cancel());
  }

  send(typeUrl: string, fields: RequestFields = {}): void {
    this.#stream.write(create(DeltaDiscoveryRequestSchema, { ...fields, typeUrl }));
  }

  ack({ typeUrl, nonce }: DeltaDiscoveryResponse): void {
    this.send(typeUrl, { responseNonce: nonce });
  }

  nack({ typeUrl, nonce }: DeltaDiscoveryResponse, message: string): void {
    this.send(typeUrl, { responseNonce: nonce, errorDetail: { code: 3, message } });
  }

  /** The next response that was not looked at yet. */
  async next(): Promise<DeltaDiscoveryResponse> {
    await vi.waitFor(
      () => expect(this.responses.length, `a response; ${this.error?.message ?? ""}`).toBeGreaterThan(this.#read),
      SOON,
    );
    const response = this.responses[this.#read] as DeltaDiscoveryResponse;
    this.#read += 1;
    return response;
  }

  /** The next response, accepted. */
  async accept(): Promise<DeltaDiscoveryResponse> {
    const response = await this.next();
    this.ack(response);
    return response;
  }

  /** Subscribes to everything of a type and accepts the answer. */
  async acceptAll(typeUrl: string): Promise<DeltaDiscoveryResponse> {
    this.send(typeUrl);
    return this.accept();
  }

  /** Nothing comes for a while. */
  async expectQuiet(): Promise<void> {
    await new Promise((resolve) => {
      setTimeout(resolve, QUIET_MS);
    });
    expect(summarize(this.responses.slice(this.#read))).toEqual([]);
  }

  /** The stream ends. @returns its error */
  async ended(): Promise<ServiceError> {
    await vi.waitFor(() => expect(this.error).toBeDefined(), SOON);
    return this.error as ServiceError;
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

/** What a response brought, by names. */
export const summarize = (responses: readonly DeltaDiscoveryResponse[]) =>
  responses.map(({ typeUrl, resources, removedResources }) => ({
    type: typeUrl.split(".").at(-1),
    resources: resources.map(({ name }) => name).sort(),
    removed: removedResources.toSorted(),
  }));
