import type { FuzzTarget } from "../target.ts";
import { detect } from "./detect.ts";
import { hpack } from "./hpack.ts";
import { http1Request } from "./http1-request.ts";
import { http1Response } from "./http1-response.ts";
import { http2Client, http2Server } from "./http2.ts";
import { baggage, forwarded, traceparent } from "./tunnel-fields.ts";

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  http1Request,
  http1Response,
  http2Server,
  http2Client,
  hpack,
  detect,
  baggage,
  forwarded,
  traceparent,
];
