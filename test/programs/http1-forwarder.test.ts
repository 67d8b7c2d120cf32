import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { Pool, request } from "undici";
import { afterEach, describe, expect, test } from "vitest";
import { type Forwarder, startForwarder } from "./http1-forwarder.ts";

/** Other people's clients and servers, with one hop of ours between them: our server side and our client side at once. */
interface Way {
  readonly origin: string;
  readonly port: number;
  readonly forwarder: Forwarder;
  /** Connections that the server has seen. */
  readonly sockets: Socket[];
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const wayTo = async (server: Server): Promise<Way> => {
  const sockets: Socket[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const forwarder = await startForwarder((server.address() as AddressInfo).port);
  cleanups.push(() => {
    forwarder.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { origin: `http://127.0.0.1:${forwarder.port}`, port: forwarder.port, forwarder, sockets };
};

const toHttp = (listener: (request: IncomingMessage, response: ServerResponse) => void): Promise<Way> =>
  wayTo(http.createServer(listener));

/** A server that answers the first bytes of each connection with these. */
const toRaw = (answer: string, then: (socket: Socket) => void = () => undefined): Promise<Way> =>
  wayTo(
    createServer((socket) => {
      socket.once("data", () => {
        socket.write(answer, "latin1", () => then(socket));
        socket.resume();
      });
    }),
  );

interface CurlResult {
  readonly code: number;
  readonly out: string;
}

/** @param input what it reads from its standard input */
const curl = (args: readonly string[], input = ""): Promise<CurlResult> =>
  new Promise((resolve) => {
    const all = ["-sS", "--http1.1", "--max-time", "20", ...args];
    const child = execFile("curl", all, { encoding: "latin1" }, (error, out) =>
      resolve({ code: error === null ? 0 : Number(error.code), out }),
    );
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });

const keptAlive = (): http.Agent => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  cleanups.push(() => agent.destroy());
  return agent;
};

interface Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string | undefined>>;
}

const answered = async (asked: http.ClientRequest): Promise<Answer> => {
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const body = await text(response);
  return { status: response.statusCode, headers: response.headers, body, trailers: response.trailers };
};

/** All that a connection brings until it is closed, by end or by reset. */
const conversation = async (
  port: number,
  bytes: string,
): Promise<{ readonly text: string; readonly wasReset: boolean }> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const parts: Buffer[] = [];
  let wasReset = false;
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.on("error", () => (wasReset = true));
  socket.on("end", () => socket.end());
  socket.write(bytes, "latin1");
  await new Promise((resolve) => socket.once("close", resolve));
  return { text: Buffer.concat(parts).toString("latin1"), wasReset };
};

describe("node:http on both sides", () => {
  test("many requests over one connection on each side", async () => {
    const { port, sockets, forwarder } = await toHttp((asked, response) => response.end(asked.url));
    const agent = keptAlive();
    for (let i = 0; i < 20; i += 1) {
      const answer = await answered(http.get({ port, host: "127.0.0.1", path: `/${i}`, agent }));
      expect(answer).toMatchObject({ status: 200, body: `/${i}` });
    }
    expect(sockets).toHaveLength(1);
    expect(forwarder.freeConnections()).toBe(1);
  });

  test("chunks and trailers in both directions, while both are sent", async () => {
    const { port } = await toHttp((asked, response) => {
      response.writeHead(200, { Trailer: "X-Came" });
      asked.on("data", (piece: Buffer) => response.write(piece));
      asked.on("end", () => {
        response.addTrailers({ "X-Came": asked.trailers["x-sent"] ?? "" });
        response.end();
      });
    });
    const asked = http.request({
      port,
      host: "127.0.0.1",
      method: "POST",
      headers: { Trailer: "X-Sent", "Transfer-Encoding": "chunked" },
    });
    asked.write("first ");
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const [piece] = (await once(response, "data")) as [Buffer];
    expect(piece.toString()).toBe("first ");
    asked.write("second");
    asked.addTrailers({ "X-Sent": "yes" });
    asked.end();
    expect(await text(response)).toBe("second");
    expect(response.trailers).toEqual({ "x-came": "yes" });
  });

  test("100-continue is the server's to say (H1-60)", async () => {
    const server = http.createServer((asked, response) => void text(asked).then((body) => response.end(body)));
    let continued = 0;
    server.on("checkContinue", (asked: IncomingMessage, response: ServerResponse) => {
      if (asked.url === "/no") {
        response.writeHead(417).end();
        return;
      }
      continued += 1;
      response.writeContinue();
      server.emit("request", asked, response);
    });
    const { port } = await wayTo(server);
    const ask = (path: string): http.ClientRequest => {
      const asked = http.request({
        port,
        host: "127.0.0.1",
        method: "POST",
        path,
        headers: { Expect: "100-continue", "Content-Length": "4" },
      });
      asked.flushHeaders();
      return asked;
    };
    const yes = ask("/yes");
    await once(yes, "continue");
    yes.end("body");
    expect(await answered(yes)).toMatchObject({ status: 200, body: "body" });
    const no = ask("/no");
    no.on("error", () => undefined);
    expect(await answered(no)).toMatchObject({ status: 417, headers: { connection: "close" } });
    expect(continued).toBe(1);
  });

  test("answers without content: HEAD, 204 and 304 leave the connection in step (H1-28)", async () => {
    const { port, sockets } = await toHttp((asked, response) => {
      const status = Number(asked.url?.slice(1));
      response.writeHead(status, status === 204 ? {} : { "Content-Length": "5" });
      response.end(asked.method === "HEAD" || status !== 200 ? undefined : "hello");
    });
    const agent = keptAlive();
    const ask = (method: string, path: string): Promise<Answer> =>
      answered(http.request({ port, host: "127.0.0.1", method, path, agent }).end());
    expect(await ask("HEAD", "/200")).toMatchObject({ status: 200, body: "", headers: { "content-length": "5" } });
    expect(await ask("GET", "/304")).toMatchObject({ status: 304, body: "", headers: { "content-length": "5" } });
    expect(await ask("GET", "/204")).toMatchObject({ status: 204, body: "" });
    expect(await ask("GET", "/200")).toMatchObject({ status: 200, body: "hello" });
    expect(sockets).toHaveLength(1);
  });

  test("an upgrade becomes a tunnel, with half-close", async () => {
    const server = http.createServer((_, response) => response.end());
    server.on("upgrade", (_: IncomingMessage, socket: Socket, first: Buffer) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello ");
      socket.write(first);
      socket.on("data", (piece) => socket.write(piece));
      socket.on("end", () => socket.end("bye"));
    });
    const { port, forwarder } = await wayTo(server);
    const asked = http.request({ port, host: "127.0.0.1", headers: { Connection: "upgrade", Upgrade: "echo" } }).end();
    const [response, socket, first] = (await once(asked, "upgrade")) as [IncomingMessage, Socket, Buffer];
    expect(response.statusCode).toBe(101);
    socket.unshift(first);
    const all = text(socket);
    socket.write("and ");
    socket.end();
    expect(await all).toBe("hello and bye");
    expect(forwarder.freeConnections()).toBe(0);
  });

  test("an upgrade that is answered with 200 is no tunnel (H1-30)", async () => {
    const { port } = await toRaw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    const head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    const { text: got } = await conversation(port, `${head}smuggled\r\n\r\n`);
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Length: 2\r\n\r\nnoHTTP\/1\.1 400 /);
  });

  test("a client that goes away in the middle of its request or answer is seen by the server", async () => {
    const aborted: string[] = [];
    const { port, sockets } = await toHttp((asked, response) => {
      asked.on("error", () => aborted.push("request"));
      response.on("close", () => aborted.push(response.writableFinished ? "done" : "answer"));
      if (asked.method === "GET") response.write("part");
    });
    const sending = http.request({ port, host: "127.0.0.1", method: "POST" });
    sending.on("error", () => undefined);
    sending.write("part");
    while (sockets.length === 0) await wait(5);
    sending.destroy();
    while (aborted.length < 2) await wait(5);
    expect(aborted.toSorted()).toEqual(["answer", "request"]);

    const receiving = http.get({ port, host: "127.0.0.1" });
    const [response] = (await once(receiving, "response")) as [IncomingMessage];
    response.on("error", () => undefined);
    await once(response, "data");
    receiving.destroy();
    while (aborted.length < 3) await wait(5);
    expect(aborted).toContain("answer");
  });
});

describe("undici", () => {
  test("pipelines, and gets every answer in its order (H1-26)", async () => {
    const { origin, sockets } = await toHttp((asked, response) => {
      setTimeout(() => response.end(asked.url), asked.url === "/0" ? 20 : 0);
    });
    const pool = new Pool(origin, { connections: 1, pipelining: 8 });
    cleanups.push(() => void pool.destroy());
    const bodies = await Promise.all(
      Array.from({ length: 24 }, async (_, i) => (await pool.request({ path: `/${i}`, method: "GET" })).body.text()),
    );
    expect(bodies).toEqual(Array.from({ length: 24 }, (_, i) => `/${i}`));
    expect(sockets).toHaveLength(1);
  });

  test("megabytes there and back are the same bytes", async () => {
    const { origin } = await toHttp((asked, response) => asked.pipe(response));
    const sent = randomBytes(8 * 1024 * 1024);
    const { body } = await request(origin, { method: "POST", body: sent });
    const came = Buffer.from(await body.arrayBuffer());
    expect(createHash("sha256").update(came).digest("hex")).toBe(createHash("sha256").update(sent).digest("hex"));
  });

  test.each([
    ["known length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart"],
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"],
  ])("an answer of %s that breaks off is an error, never a whole answer (H1-23)", async (_, answer) => {
    const { origin } = await toRaw(answer, (socket) => socket.end());
    const read = async (): Promise<string> => (await request(origin)).body.text();
    await expect(read()).rejects.toThrow();
  });
});

describe("curl", () => {
  test("gets, posts, asks for HEAD and uploads with 100-continue", async () => {
    const { origin } = await toHttp((asked, response) => {
      void text(asked).then((body) => response.writeHead(200, { "X-Length": body.length }).end(asked.method));
    });
    expect(await curl([origin])).toEqual({ code: 0, out: "GET" });
    const length = ["-w", "%header{x-length}"];
    const large = "x".repeat(2_000_000);
    expect(await curl(["--data-binary", "@-", ...length, origin], large)).toEqual({ code: 0, out: "POST2000000" });
    expect(await curl(["-T", "-", ...length, origin], large)).toEqual({ code: 0, out: "PUT2000000" });
    const expecting = ["-H", "Expect: 100-continue", "-d", "abc"];
    expect(await curl([...expecting, ...length, origin])).toEqual({ code: 0, out: "POST3" });
    expect((await curl(["-I", origin])).out).toMatch(/^HTTP\/1\.1 200 OK\r\nX-Length: 0\r\n/);
    expect(await curl(["-0", origin])).toEqual({ code: 0, out: "GET" });
  });

  test("an answer that breaks off shows, also where only the close would tell its end (H1-23)", async () => {
    const { origin } = await toRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", (socket) =>
      socket.end(),
    );
    expect((await curl([origin])).code).not.toBe(0);
    expect((await curl(["-0", origin])).code).not.toBe(0);
  });
});

describe("bad servers", () => {
  const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

  test.each([
    ["length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
    ["a status line that is none", "HTTP/1.1 2OO OK\r\n\r\n"],
    ["a head over the limit", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}\r\n\r\n`],
    ["a storm of 1xx", "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)],
    ["a switch nobody asked for", "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
    ["nothing", ""],
  ])("%s: the client gets 502, and the connection is not used again (H1-29)", async (_, answer) => {
    const { port, forwarder, sockets } = await toRaw(answer, (socket) => {
      if (answer === "") socket.destroy();
    });
    const { text: got } = await conversation(port, GET);
    expect(got.replaceAll("HTTP/1.1 100 Continue\r\n\r\n", "")).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(forwarder.freeConnections()).toBe(0);
    await conversation(port, GET);
    expect(sockets).toHaveLength(2);
  });

  test("a bad chunk after the head breaks the answer off (H1-29)", async () => {
    const { port } = await toRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX");
    const { text: got, wasReset } = await conversation(port, GET);
    expect(got).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(wasReset).toBe(true);
  });

  test("an answer before the end of the request reaches the client, and the connection is not used again (H1-31)", async () => {
    const { port, forwarder, sockets } = await toRaw("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
    const { text: got } = await conversation(port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc`);
    expect(got).toMatch(/^HTTP\/1\.1 413 No\r\nContent-Length: 2\r\n\r\nno$/);
    expect(forwarder.freeConnections()).toBe(0);
    expect(sockets).toHaveLength(1);
  });

  test("a second answer that nobody asked for is nobody's (H1-32)", async () => {
    const { port, sockets, forwarder } = await toRaw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", (socket) => {
      setImmediate(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"));
    });
    for (let i = 0; i < 3; i += 1) {
      const { text: got } = await conversation(port, GET);
      expect(got).toMatch(/\r\n\r\n1$/);
      while (forwarder.freeConnections() > 0) await wait(5);
    }
    expect(sockets).toHaveLength(3);
  });

  test("nobody listens: 502", async () => {
    const { port, forwarder } = await toHttp((_, response) => response.end());
    const nowhere = await startForwarder(await unusedPort());
    cleanups.push(nowhere.close);
    expect((await conversation(nowhere.port, GET)).text).toMatch(/^HTTP\/1\.1 502 /);
    expect((await conversation(port, GET)).text).toMatch(/^HTTP\/1\.1 200 /);
    expect(forwarder.refused).toEqual([]);
  });
});

describe("memory", () => {
  const TOTAL = 128 * 1024 * 1024;
  /** What two hops' kernel buffers may hold, and ours beside them. */
  const HELD = 48 * 1024 * 1024;
  const BLOCK = Buffer.alloc(64 * 1024);

  /** Writes as long as it may. @returns how much was written so far. */
  const pour = (sink: {
    write(bytes: Uint8Array): boolean;
    end(): void;
    on(event: "drain", listener: () => void): unknown;
  }): (() => number) => {
    let written = 0;
    const more = (): void => {
      for (; written < TOTAL;) {
        written += BLOCK.length;
        if (!sink.write(BLOCK)) return;
      }
      sink.end();
    };
    sink.on("drain", more);
    more();
    return () => written;
  };

  /** Until it does not grow any more. */
  const settled = async (amount: () => number): Promise<number> => {
    for (let last = -1; ;) {
      const now = amount();
      if (now === last && now > 0) return now;
      last = now;
      await wait(150);
    }
  };

  const drained = async (stream: Readable): Promise<number> => {
    let bytes = 0;
    for await (const piece of stream) bytes += (piece as Buffer).length;
    return bytes;
  };

  test("a client that does not read stops the server, and gets everything when it reads", async () => {
    let written = (): number => 0;
    const { port } = await toHttp((_, response) => {
      response.setHeader("Content-Length", TOTAL);
      written = pour(response);
    });
    const [response] = (await once(http.get({ port, host: "127.0.0.1" }), "response")) as [IncomingMessage];
    expect(await settled(() => written())).toBeLessThan(HELD);
    expect(await drained(response)).toBe(TOTAL);
  }, 60_000);

  test("a server that does not read stops the client, and gets everything when it reads", async () => {
    const came = Promise.withResolvers<IncomingMessage>();
    const { port } = await toHttp((asked, response) => {
      came.resolve(asked);
      asked.on("end", () => response.end("done"));
    });
    const asked = http.request({ port, host: "127.0.0.1", method: "POST", headers: { "Content-Length": TOTAL } });
    const written = pour(asked);
    const answer = answered(asked);
    const incoming = await came.promise;
    expect(await settled(written)).toBeLessThan(HELD);
    expect(await drained(incoming)).toBe(TOTAL);
    expect((await answer).body).toBe("done");
  }, 60_000);
});

const unusedPort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};
