/**
 * One hop of HTTP/1 and nothing else: what comes to one port goes to another, over connections that are kept. Prints
 * `listening PORT`. For tests, benchmarks and `npm run conformance:http1`.
 *
 *     bin/node test/programs/http1-forwarder.ts UPSTREAM-PORT [PORT]
 */
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { argv } from "node:process";
import { Http1ClientConnection } from "#proxy/transport/http1-client-connection.ts";
import {
  HTTP1_CLIENT_SETTINGS,
  HTTP1_SERVER_SETTINGS,
  type Http1ServerSettings,
} from "#proxy/transport/http1-limits.ts";
import { Http1ServerConnection } from "#proxy/transport/http1-server-connection.ts";
import type {
  Http1ResponseHandler,
  Http1ServerStream,
  Http1Stream,
  Http1StreamHandler,
} from "#proxy/transport/http1-stream.ts";
import { field, type ReceivedRequestHead } from "#wire/http1/head.ts";
import type { Http1Error } from "#wire/http1/http1-error.ts";

/** Connections to one port on loopback: the last that became free is taken first. */
class UpstreamPool {
  readonly #port: number;
  readonly #isKept: boolean;
  readonly #free: Http1ClientConnection[] = [];

  constructor(port: number, isKept: boolean) {
    this.#port = port;
    this.#isKept = isKept;
  }

  get freeConnections(): number {
    return this.#free.length;
  }

  close(): void {
    for (const free of this.#free) free.destroy("the forwarder stops");
  }

  take(): Http1ClientConnection {
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop()) if (free.isFree) return free;
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const connection: Http1ClientConnection = new Http1ClientConnection(socket, HTTP1_CLIENT_SETTINGS, {
      idle: () => {
        if (this.#isKept) this.#free.push(connection);
        else connection.destroy("connections are not kept");
      },
      closed: () => {
        const at = this.#free.indexOf(connection);
        if (at >= 0) this.#free.splice(at, 1);
      },
    });
    return connection;
  }
}

const BAD_GATEWAY = {
  status: 502,
  reason: "Bad Gateway",
  version: "1.1",
  fields: [field("Content-Length", "0")],
  framing: { kind: "length", bytes: 0 },
} as const;

/** Joins the two sides of one exchange. */
const forward = (server: Http1ServerStream, head: ReceivedRequestHead, pool: UpstreamPool): Http1StreamHandler => {
  const answer = (upstream: Http1Stream): Http1ResponseHandler => ({
    informational: (informational) => server.forwardHead(informational),
    head: (response) => server.forwardHead(response),
    data: (bytes) => {
      if (server.write(bytes)) upstream.consumed(bytes.length);
      else owedToUpstream += bytes.length;
    },
    end: (trailers) => server.end(trailers),
    writable: () => {
      server.consumed(owedToClient);
      owedToClient = 0;
    },
    reset: () => {
      if (server.isAnswered) server.reset("the server broke its answer off");
      else {
        server.sendHead(BAD_GATEWAY);
        server.end();
      }
    },
  });
  let owedToUpstream = 0;
  let owedToClient = 0;
  const stream = pool.take().forward(head, head.upgrade, answer);
  return {
    data: (bytes) => {
      if (stream.write(bytes)) server.consumed(bytes.length);
      else owedToClient += bytes.length;
    },
    end: (trailers) => stream.end(trailers),
    writable: () => {
      stream.consumed(owedToUpstream);
      owedToUpstream = 0;
    },
    reset: () => stream.reset("the client broke its request off"),
  };
};

export interface Forwarder {
  readonly port: number;
  /** Kept connections to the server that wait for a request. */
  readonly freeConnections: () => number;
  readonly refused: readonly Http1Error[];
  readonly close: () => void;
}

/** @param isKept whether connections to the server serve more than one request */
export const startForwarder = async (
  upstreamPort: number,
  port = 0,
  settings: Http1ServerSettings = HTTP1_SERVER_SETTINGS,
  isKept = true,
): Promise<Forwarder> => {
  const pool = new UpstreamPool(upstreamPort, isKept);
  const refused: Http1Error[] = [];
  const connections = new Set<Http1ServerConnection>();
  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const connection = new Http1ServerConnection(socket, settings, {
      request: (stream, head) => forward(stream, head, pool),
      refused: (error) => {
        if (refused.length < MAX_REMEMBERED) refused.push(error);
      },
      closed: () => void connections.delete(connection),
    });
    connections.add(connection);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    freeConnections: () => pool.freeConnections,
    refused,
    close: () => {
      server.close();
      pool.close();
      for (const connection of connections) connection.destroy("the forwarder stops");
    },
  };
};

const MAX_REMEMBERED = 1000;

if (import.meta.main) {
  const forwarder = await startForwarder(Number(argv[2]), Number(argv[3] ?? 0));
  process.stdout.write(`listening ${forwarder.port}\n`);
}
