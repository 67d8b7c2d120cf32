import { connect, createServer, type Server } from "node:net";
import type { ByteReader, ByteStream } from "#proxy/tunnel/byte-stream.ts";
import type { TunnelConnection, TunnelRequest } from "#proxy/tunnel/tunnel.ts";
import { openTunnelConnection } from "#proxy/tunnel/tunnel-client.ts";
import { TUNNEL_LIMITS } from "#proxy/tunnel/tunnel-limits.ts";
import { serveTunnels } from "#proxy/tunnel/tunnel-server.ts";

/** Takes every tunnel, and says what it hears. */
export const tunnelServer = (): Server =>
  createServer({ noDelay: true }, (socket) => {
    serveTunnels(
      socket,
      TUNNEL_LIMITS,
      (request) => {
        const tunnel = request.accept(RESPONSE);
        tunnel.read(new Reader((bytes) => hearing(tunnel, bytes)));
      },
      () => undefined,
    );
  });

const hearing = (tunnel: ByteStream, bytes: Uint8Array): void => {
  tunnel.write(bytes);
  tunnel.consumed(bytes.length);
};

/** Tunnel connections in clear. */
export const openConnections = (port: number, count: number): Promise<readonly TunnelConnection[]> => {
  const open = (): Promise<TunnelConnection> =>
    openTunnelConnection(connect({ host: "127.0.0.1", port, noDelay: true }), TUNNEL_LIMITS, () => undefined);
  return Promise.all(Array.from({ length: count }, open));
};

/** Opens so many tunnels on each connection, and has one question answered in each. */
export const openTunnels = async (connections: readonly TunnelConnection[], each: number): Promise<void> => {
  for (let index = 0; index < each; index++) {
    await Promise.all(connections.map(async (connection) => asked(await connection.open(request()))));
  }
};

const asked = (tunnel: ByteStream): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAnswer = ({ length }: Uint8Array): void => {
      tunnel.consumed(length);
      resolve();
    };
    tunnel.read(new Reader(onAnswer, reject));
    tunnel.write(QUESTION);
  });

/** One end of an exchange. */
class Reader implements ByteReader {
  readonly data: (bytes: Uint8Array) => void;
  readonly #onClosed: ((error: Error) => void) | undefined;

  constructor(onData: (bytes: Uint8Array) => void, onClosed?: (error: Error) => void) {
    this.data = onData;
    this.#onClosed = onClosed;
  }

  end(): void {}

  writable(): void {}

  closed(problem: string | undefined): void {
    this.#onClosed?.(new Error(`a tunnel was closed: ${problem ?? "in order"}`));
  }
}

const QUESTION = Buffer.alloc(100);
const BAGGAGE =
  "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=cart,service.name=cart,service.version=v1";

let requests = 0;
/** What a worker asks for: caller, span and the caller's port are others each time. */
const request = (): TunnelRequest => {
  const id = (++requests).toString(16);
  return {
    authority: "10.244.2.17:8080",
    headers: {
      baggage: BAGGAGE,
      forwarded: `for="10.244.1.23:${32_768 + requests}";host=payments.shop.svc.cluster.local`,
      traceparent: `00-${id.padStart(32, "a")}-${id.padStart(16, "b")}-00`,
    },
  };
};

const RESPONSE = { baggage: BAGGAGE };
