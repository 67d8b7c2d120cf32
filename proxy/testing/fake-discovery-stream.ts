import { EventEmitter } from "node:events";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";

/** For tests: a control stream whose other end says what the test has it say, and shows what it was told. */
export class FakeStream extends EventEmitter {
  readonly requests: DeltaDiscoveryRequest[] = [];

  write(request: DeltaDiscoveryRequest): boolean {
    this.requests.push(request);
    return true;
  }

  respond(response: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): void {
    const message: DeltaDiscoveryResponse = create(DeltaDiscoveryResponseSchema, response);
    this.emit("data", message);
  }

  cancel(): void {
    this.end("Cancelled on client");
  }

  /** As grpc-js ends a stream: an error where the status is one, and the status in any case. */
  end(details = ""): void {
    if (details !== "") this.emit("error", new Error(details));
    this.emit("status", { code: details === "" ? 0 : 14, details });
  }

  /** What was answered to a response; `nack` is undefined for an ACK. */
  answers(nonce: string): readonly { readonly typeUrl: string; readonly nack: string | undefined }[] {
    return this.requests
      .filter(({ responseNonce }) => responseNonce === nonce)
      .map(({ typeUrl, errorDetail }) => ({ typeUrl, nack: errorDetail?.message }));
  }
}
