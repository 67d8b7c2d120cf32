import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { carelessClient } from "#certs/testing/tls-pair.ts";
import { clientContext, connectOptions, serverOptions } from "#certs/tls/tls-contexts.ts";
import { CHUNKED, UNTIL_CLOSE } from "#wire/http1/framing.ts";
import { field, type RequestHead, type ResponseHead } from "#wire/http1/head.ts";
import { Http1ClientConnection } from "./http1-client-connection.ts";
import { HTTP1_CLIENT_SETTINGS, HTTP1_SERVER_SETTINGS } from "./http1-limits.ts";
import { Http1ServerConnection } from "./http1-server-connection.ts";
import type { Http1ServerStream, Http1Stream } from "./http1-stream.ts";

const mesh = testAuthority();
const web = mesh.credentials("shop/web");
const caller = mesh.credentials("shop/cart");

/** How the bytes are carried. */
type Carrier = "TCP" | "TLS";
const CARRIERS: readonly Carrier[] = ["TCP", "TLS"];

const listen = async (carrier: Carrier, onSocket: (socket: Duplex) => void): Promise<number> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    if (carrier === "TCP") onSocket(socket);
    else tls.emit("connection", socket);
  });
  const tls = createTlsServer(serverOptions(web, mesh.bundle), (socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
};

/** As the proxy dials: TCP, and TLS over it. */
const dial = async (carrier: Carrier, port: number): Promise<Socket | TLSSocket> => {
  const raw = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  raw.on("error", () => undefined);
  onTestFinished(() => void raw.destroy());
  await once(raw, "connect");
  if (carrier === "TCP") return raw;
  const tls = connectTls({ socket: raw, ...connectOptions(clientContext(caller, mesh.bundle), web.id) });
  tls.on("error", () => undefined);
  await once(tls, "secureConnect");
  return tls;
};

/** Reads all that comes. @returns it, and how it came to its end, as the application on the other side sees it */
const readingOf = (duplex: Duplex): { readonly text: () => string; readonly over: Promise<"end" | "reset"> } => {
  let text = "";
  duplex.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  duplex.resume();
  const over = new Promise<"end" | "reset">((resolve) => {
    duplex.once("end", () => resolve("end"));
    duplex.once("error", () => resolve("reset"));
    duplex.once("close", () => resolve("reset"));
  });
  return { text: () => text, over };
};

const head = (framing: ResponseHead["framing"]): ResponseHead => ({
  status: 200,
  reason: "OK",
  version: "1.1",
  fields: [],
  framing,
});

/** A server whose answers are given by whom a test says. */
const serving = async (
  carrier: Carrier,
  answer: (stream: Http1ServerStream) => void,
  settings = HTTP1_SERVER_SETTINGS,
) =>
  listen(carrier, (socket) => {
    void new Http1ServerConnection(socket, settings, {
      request: (stream) => ({
        data: ({ length }) => stream.consumed(length),
        end: () => answer(stream),
        writable: () => undefined,
        reset: () => undefined,
      }),
      refused: () => undefined,
      closed: () => undefined,
    });
  });

const REQUESTS = {
  chunked: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "of known length": "GET /length HTTP/1.1\r\nHost: a\r\n\r\n",
  "that lasts until the close": "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
} as const;

describe.each(CARRIERS)("over %s", (carrier) => {
  test.each(Object.entries(REQUESTS))(
    "an answer %s that is broken off does not end for the client",
    async (kind, bytes) => {
      const framing = kind === "of known length" ? ({ kind: "length", bytes: 10 } as const) : CHUNKED;
      let broken: Http1ServerStream | undefined;
      const port = await serving(carrier, (stream) => {
        stream.sendHead(head(framing));
        stream.write(Buffer.from("half"));
        broken = stream;
      });
      const socket = await dial(carrier, port);
      const { text, over } = readingOf(socket);
      socket.write(bytes);
      while (!text().includes("half")) await once(socket, "data");
      broken?.reset("the server broke off");
      expect(await over).toBe("reset");
      expect(text()).not.toMatch(/\r\n0\r\n/);
    },
  );

  test("an answer that lasts until the close and is complete ends for the client", async () => {
    const port = await serving(carrier, (stream) => {
      stream.sendHead(head(UNTIL_CLOSE));
      stream.write(Buffer.from("whole"));
      stream.end();
    });
    const socket = await dial(carrier, port);
    const { text, over } = readingOf(socket);
    socket.write(REQUESTS["that lasts until the close"]);
    expect(await over).toBe("end");
    expect(text()).toMatch(/whole$/);
  });

  test("a slow client gets the rest of an answer after the server has ended it", async () => {
    const bytes = 8 * 1024 * 1024;
    const { patience } = HTTP1_SERVER_SETTINGS;
    const hasty = { ...HTTP1_SERVER_SETTINGS, patience: { ...patience, closeMs: 20 } };
    const port = await serving(
      carrier,
      (stream) => {
        stream.sendHead(head(UNTIL_CLOSE));
        stream.write(Buffer.alloc(bytes, "a"));
        stream.end();
      },
      hasty,
    );
    const socket = await dial(carrier, port);
    socket.write(REQUESTS["that lasts until the close"]);
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { text, over } = readingOf(socket);
    expect(await over).toBe("end");
    expect(text().length).toBeGreaterThan(bytes);
  });

  test("a client that does not take the rest of an answer is reset", async () => {
    const { patience } = HTTP1_SERVER_SETTINGS;
    const hasty = { ...HTTP1_SERVER_SETTINGS, patience: { ...patience, closeMs: 20, contentIdleMs: 50 } };
    const bytes = 32 * 1024 * 1024;
    const gone = Promise.withResolvers<void>();
    const port = await listen(carrier, (socket) => {
      void new Http1ServerConnection(socket, hasty, {
        request: (stream) => ({
          data: () => undefined,
          end: () => {
            stream.sendHead(head(UNTIL_CLOSE));
            stream.write(Buffer.alloc(bytes, "a"));
            stream.end();
          },
          writable: () => undefined,
          reset: () => undefined,
        }),
        refused: () => undefined,
        closed: () => gone.resolve(),
      });
    });
    const socket = await dial(carrier, port);
    socket.write(REQUESTS["that lasts until the close"]);
    socket.pause();
    await gone.promise;
    const { over } = readingOf(socket);
    expect(await over).toBe("reset");
  });

  const upload: RequestHead = {
    method: "POST",
    target: "/",
    version: "1.1",
    fields: [field("Host", "a")],
    framing: CHUNKED,
  };
  const asking = async (
    act: (connection: Http1ClientConnection, stream: Http1Stream) => void,
    offer: string[] = [],
  ) => {
    const met = Promise.withResolvers<{ readonly text: string; readonly over: "end" | "reset" }>();
    const answered = Promise.withResolvers<void>();
    const port = await listen(carrier, (socket) => {
      const { text, over } = readingOf(socket);
      socket.on("data", () => {
        // The server has sent its last byte, or its own write may meet the reset instead of its read.
        if (/half/.test(text())) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        if (/Upgrade/.test(text())) socket.write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      });
      void over.then((how) => met.resolve({ text: text(), over: how }));
    });
    const connection = new Http1ClientConnection(await dial(carrier, port), HTTP1_CLIENT_SETTINGS, {
      idle: () => undefined,
      closed: () => undefined,
    });
    const request = offer.length > 0 ? { ...upload, method: "GET", framing: { kind: "none" } as const } : upload;
    const stream = connection.open(request, offer, () => ({
      informational: () => answered.resolve(),
      head: () => answered.resolve(),
      data: () => undefined,
      end: () => undefined,
      writable: () => undefined,
      reset: () => undefined,
    }));
    if (offer.length === 0) stream.write(Buffer.from("half"));
    await answered.promise;
    act(connection, stream);
    return met.promise;
  };

  test.each([
    ["its user", (_: Http1ClientConnection, stream: Http1Stream) => stream.reset("given up")],
    ["its connection's owner", (connection: Http1ClientConnection) => connection.destroy("given up")],
  ])("an upload that is broken off by %s does not end for the server", async (_, act) => {
    const { text, over } = await asking(act);
    expect(over).toBe("reset");
    expect(text).not.toMatch(/\r\n0\r\n/);
  });

  test("a tunnel that is broken off by its connection's owner does not end for the server", async () => {
    const { over } = await asking((connection) => connection.destroy("given up"), ["echo"]);
    expect(over).toBe("reset");
  });
});

test("whoever reads TLS as Node.js does cannot tell an end from a destroyed connection without RST", async () => {
  const port = await listen("TLS", (socket) => socket.end("a", () => socket.destroy()));
  const socket = connectTls({ port, host: "127.0.0.1", ...carelessClient(caller) });
  onTestFinished(() => void socket.destroy());
  expect(await readingOf(socket).over).toBe("end");
});
