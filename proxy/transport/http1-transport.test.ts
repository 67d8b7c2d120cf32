import { once } from "node:events";
import { Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { CHUNKED } from "#wire/http1/framing.ts";
import { field, type ReceivedRequestHead, type RequestHead, type ResponseHead } from "#wire/http1/head.ts";
import { Http1Error } from "#wire/http1/http1-error.ts";
import { STRICT_REQUEST_RULES } from "#wire/http1/request-rules.ts";
import { BUFFERED_BYTES } from "./http1-byte-stream.ts";
import { Http1ClientConnection } from "./http1-client-connection.ts";
import {
  DEFAULT_HTTP1_PATIENCE,
  type HalfCloseRule,
  type Http1Patience,
  HTTP1_CLIENT_SETTINGS,
  HTTP1_SERVER_SETTINGS,
} from "./http1-limits.ts";
import { Http1ServerConnection } from "./http1-server-connection.ts";
import {
  failureText,
  type Http1ResponseHandler,
  type Http1ServerStream,
  type Http1Stream,
  type Http1StreamHandler,
} from "./http1-stream.ts";

/** Two ends of one connection in memory; either end says when it has room. */
class End extends Duplex {
  other: End | undefined;
  /** Writes of the connection under test, as they came down. */
  readonly writes: number[] = [];
  #owed: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 16 * 1024 });
  }

  override _read(): void {
    const owed = this.#owed;
    this.#owed = undefined;
    owed?.();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.writes.push(chunk.length);
    this.#give(chunk, done);
  }

  override _writev(chunks: readonly { chunk: Buffer }[], done: () => void): void {
    const all = Buffer.concat(chunks.map(({ chunk }) => chunk));
    this.writes.push(all.length);
    this.#give(all, done);
  }

  override _final(done: () => void): void {
    setImmediate(() => {
      this.other?.push(null);
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    setImmediate(() => {
      if (other !== undefined && !other.destroyed && !(other.readableEnded && this.writableFinished))
        other.destroy(new Error("reset"));
    });
    done(error);
  }

  /** Bytes go over in the next turn; the writer waits as long as nobody reads them. */
  #give(chunk: Buffer, done: () => void): void {
    setImmediate(() => {
      const { other } = this;
      if (other === undefined || other.destroyed || other.push(chunk)) done();
      else other.#owed = done;
    });
  }
}

const pair = (): readonly [End, End] => {
  const [one, other] = [new End(), new End()];
  [one.other, other.other] = [other, one];
  for (const end of [one, other]) end.on("error", () => undefined);
  return [one, other];
};

const open: Duplex[] = [];
afterEach(() => {
  for (const duplex of open.splice(0)) duplex.destroy();
});

/** Everything that came to a raw end so far, and a way to wait until it matches. */
const reading = (
  end: Duplex,
): { readonly text: () => string; readonly until: (pattern: RegExp) => Promise<string> } => {
  let text = "";
  end.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  const until = async (pattern: RegExp): Promise<string> => {
    while (!pattern.test(text)) await Promise.race([once(end, "data"), once(end, "close")]);
    return text;
  };
  return { text: () => text, until };
};

/** However it comes to that. */
const isClosed = (end: Duplex): Promise<void> => new Promise((resolve) => end.once("close", resolve));

const OK: ResponseHead = { status: 200, reason: "OK", version: "1.1", fields: [], framing: CHUNKED };
const sized = (bytes: number): ResponseHead => ({ ...OK, framing: { kind: "length", bytes } });

interface Served {
  readonly stream: Http1ServerStream;
  readonly head: ReceivedRequestHead;
  readonly log: string[];
}

interface ServerSetup {
  readonly peer: End;
  readonly own: End;
  readonly connection: Http1ServerConnection;
  readonly served: Served[];
  readonly refused: string[];
  readonly closed: Promise<string>;
}

const patient = (change: Partial<Http1Patience>): Http1Patience => ({ ...DEFAULT_HTTP1_PATIENCE, ...change });

interface ServeOptions {
  readonly patience: Partial<Http1Patience>;
  readonly consumes: boolean;
  readonly halfClose: HalfCloseRule;
}

/** A server whose requests are logged, and answered by who is given. Data are consumed only if `consumes`. */
const serve = (
  answer: (served: Served, event: string) => void = () => undefined,
  { patience = {}, consumes = true, halfClose = "abort" }: Partial<ServeOptions> = {},
): ServerSetup => {
  const [own, peer] = pair();
  open.push(own, peer);
  const served: Served[] = [];
  const refused: string[] = [];
  const gone = Promise.withResolvers<string>();
  const settings = {
    ...HTTP1_SERVER_SETTINGS,
    rules: { ...STRICT_REQUEST_RULES, connect: "accept" as const },
    patience: patient(patience),
    halfClose,
  };
  const connection = new Http1ServerConnection(own, settings, {
    request: (stream, head): Http1StreamHandler => {
      const one: Served = { stream, head, log: [] };
      served.push(one);
      const say = (event: string): void => {
        one.log.push(event);
        answer(one, event);
      };
      say("head");
      return {
        data: (bytes) => {
          if (consumes) stream.consumed(bytes.length);
          say(`data ${Buffer.from(bytes).toString("latin1").slice(0, 20)}`);
        },
        end: (trailers) => say(["end", ...trailers.map(({ name, value }) => `${name}=${value}`)].join(" ")),
        writable: () => say("writable"),
        reset: (failure) => say(`reset ${failure.kind}: ${failureText(failure)}`),
        closed: () => say("closed"),
      };
    },
    refused: ({ reason }) => void refused.push(reason),
    closed: (reason) => gone.resolve(reason),
  });
  return { own, peer, connection, served, refused, closed: gone.promise };
};

const answerAtEnd = ({ stream, head }: Served, event: string): void => {
  if (!event.startsWith("end")) return;
  stream.sendHead(sized(head.target.length));
  stream.write(Buffer.from(head.target));
  stream.end();
};

const GET = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const POST = (length: number, content = ""): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${content}`;

describe("a server's connection", () => {
  test("answers pipelined requests in order, one after the other, and writes once a turn (H1-26)", async () => {
    const { own, peer, served } = serve(answerAtEnd);
    const got = reading(peer);
    peer.write(GET("/1") + GET("/22") + GET("/333"));
    const text = await got.until(/333/);
    expect(text.match(/\/\d+$|\/\d+(?=HTTP)/g)).toEqual(["/1", "/22", "/333"]);
    expect(own.writes).toHaveLength(1);
    expect(served.map(({ log }) => log)).toEqual([1, 2, 3].map(() => ["head", "end", "closed"]));
  });

  test("does not begin the next request before the last is answered", async () => {
    const { peer, served } = serve();
    const got = reading(peer);
    peer.write(GET("/1") + GET("/2"));
    while (served.length === 0) await turn();
    for (let turns = 0; turns < 5; turns += 1) await turn();
    expect(served).toHaveLength(1);
    served[0]?.stream.sendHead(sized(0));
    served[0]?.stream.end();
    await got.until(/200/);
    expect(served.map(({ head }) => head.target)).toEqual(["/1", "/2"]);
  });

  test("does not begin the next request while the client takes no answers", async () => {
    const big = Buffer.alloc(BUFFERED_BYTES);
    const { peer, served } = serve(({ stream }, event) => {
      if (event !== "end") return;
      stream.sendHead(sized(big.length));
      stream.write(big);
      stream.end();
    });
    peer.write(GET("/").repeat(100));
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(served.length).toBeLessThan(4);
    peer.resume();
    while (served.length < 100) await turn();
  });

  test("answers bytes that are no request with the error's status, and closes", async () => {
    const { peer, served, refused, closed } = serve(answerAtEnd);
    const got = reading(peer);
    peer.write(GET("/1") + "GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n" + GET("/2"));
    await once(peer, "end");
    peer.end();
    await closed;
    expect(got.text()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n[^]*\/1HTTP\/1\.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n$/,
    );
    expect(served).toHaveLength(1);
    expect(refused).toEqual(["bad-line-end"]);
  });

  test("a request that is cut short is reset, and an answer that has begun is broken off (H1-23)", async () => {
    const before = serve();
    const got = reading(before.peer);
    before.peer.end(POST(3, "ab"));
    await once(before.peer, "end");
    expect(got.text()).toMatch(/^HTTP\/1\.1 400 /);
    expect(before.served[0]?.log.slice(-1)[0]).toMatch(/^reset protocol: the connection ended before 1 bytes/);

    const during = serve(({ stream }, event) => event === "head" && stream.sendHead(OK));
    during.peer.resume();
    during.peer.end(POST(3, "ab"));
    await isClosed(during.peer);
    expect(during.peer.readableEnded).toBe(false);
    expect(during.served[0]?.log.slice(-1)[0]).toMatch(/^reset protocol/);
  });

  test("a client that ends its direction while it waits for an answer is gone", async () => {
    const { peer, served, closed } = serve();
    peer.resume();
    peer.end(GET("/1"));
    expect(await closed).toBe("the client closed the connection");
    expect(served[0]?.log).toEqual(["head", "end", "reset lost: the client closed the connection"]);
  });

  test("where that is a half-close, it gets the answer, then the end", async () => {
    const { peer, served, closed } = serve(undefined, { halfClose: "answer" });
    const got = reading(peer);
    peer.end(GET("/1"));
    while (served[0]?.log.at(-1) !== "end") await turn();
    served[0].stream.sendHead(sized(0));
    served[0].stream.end();
    await closed;
    expect(got.text()).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Length: 0\r\n\r\n$/);
  });

  test("a client that goes away resets the request that is being answered", async () => {
    const { peer, served, closed } = serve();
    peer.write(GET("/1"));
    while (served.length === 0) await turn();
    peer.destroy();
    expect(await closed).toBe("reset");
    expect(served[0]?.log).toEqual(["head", "end", "reset lost: reset"]);
  });

  test("reads no more than may be kept while nothing is consumed", async () => {
    const { own, peer, served } = serve(undefined, { consumes: false });
    const total = 4 * 1024 * 1024;
    peer.write(POST(total));
    const block = Buffer.alloc(16 * 1024);
    let taken = 0;
    const more = (): void => {
      while (taken < total && peer.write(block)) taken += block.length;
    };
    peer.on("drain", more);
    more();
    for (let turns = 0; turns < 200; turns += 1) await turn();
    const log = served[0]?.log ?? [];
    const came = log.length * block.length;
    expect(own.isPaused()).toBe(true);
    expect(came).toBeGreaterThanOrEqual(BUFFERED_BYTES);
    expect(came).toBeLessThan(4 * BUFFERED_BYTES);
    served[0]?.stream.consumed(BUFFERED_BYTES);
    while (log.length * block.length <= came) await turn();
  });

  test("says when no more is welcome, and when it is again", async () => {
    const { peer, served } = serve(({ stream }, event) => event === "end" && stream.sendHead(OK));
    peer.write(GET("/"));
    while (served[0]?.log.at(-1) !== "end") await turn();
    const { stream, log } = served[0];
    let sent = 0;
    for (let writes = 0; writes < 1000 && stream.write(Buffer.alloc(8192)); writes += 1) sent += 8192;
    expect(sent).toBeLessThan(2 * BUFFERED_BYTES);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(log).not.toContain("writable");
    peer.resume();
    while (!log.includes("writable")) await turn();
    expect(stream.write(Buffer.alloc(1))).toBe(true);
  });

  test("an answer before the end of the request: the rest is passed over, and the connection goes on", async () => {
    const { peer, served } = serve(({ stream }, event) => {
      if (event !== "head") return;
      stream.sendHead(sized(0));
      stream.end();
    });
    const got = reading(peer);
    peer.write(POST(10, "abc"));
    await got.until(/200/);
    peer.write(`defghij${GET("/2")}`);
    await got.until(/200[^]*200/);
    expect(served.map(({ log }) => log)).toEqual([
      ["head", "closed"],
      ["head", "closed"],
    ]);
  });

  test("an answer before the end of a request that does not end: the connection is closed", async () => {
    const { peer, served, closed } = serve(
      ({ stream }, event) => {
        if (event !== "head") return;
        stream.sendHead(sized(0));
        stream.end();
      },
      { patience: { closeMs: 60_000 } },
    );
    peer.resume();
    peer.write(POST(10_000_000, "abc"));
    for (let blocks = 0; blocks < 20; blocks += 1) peer.write(Buffer.alloc(32 * 1024));
    await once(peer, "end");
    peer.end();
    await closed;
    expect(served).toHaveLength(1);
  });

  test("a client that waits for 100 and gets its answer is told that the connection ends (H1-60)", async () => {
    const request = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    const refusing = serve(({ stream }, event) => {
      if (event !== "head") return;
      stream.sendHead({ ...sized(0), status: 413, reason: "No" });
      stream.end();
    });
    const refusal = reading(refusing.peer);
    refusing.peer.write(request);
    await once(refusing.peer, "end");
    expect(refusal.text()).toMatch(/^HTTP\/1\.1 413 No\r\n[^]*Connection: close/);

    const { peer } = serve((served, event) => {
      if (event === "head") served.stream.sendInformational({ ...OK, status: 100, reason: "Continue" });
      answerAtEnd(served, event);
    });
    const got = reading(peer);
    peer.write(request);
    await got.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
    peer.write("abc");
    expect(await got.until(/200/)).not.toMatch(/close/);
  });

  test.each([
    ["CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", { ...OK, fields: [] }, []],
    [
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
      { ...OK, status: 101, reason: "Switching" },
      ["echo"],
    ],
  ] as const)(
    "%j becomes a tunnel in both directions, also with bytes that came early",
    async (request, head, protocols) => {
      const { peer, served, closed } = serve(({ stream }, event) => {
        if (event.startsWith("data")) stream.write(Buffer.from(event.toUpperCase()));
        if (event === "end") stream.end();
      });
      const got = reading(peer);
      peer.write(`${request}early`);
      while (served.length === 0) await turn();
      await turn();
      expect(served[0]?.log).toEqual(["head"]);
      served[0]?.stream.sendHead(head, protocols);
      await got.until(/EARLY/);
      peer.write(GET("/not a request"));
      await got.until(/GET \/NOT A/);
      peer.end();
      await closed;
      expect(served[0]?.log.slice(-2)).toEqual(["end", "closed"]);
    },
  );

  test("an offer that is declined is an ordinary request, and what came after it another", async () => {
    const { peer, served } = serve(({ stream }, event) => {
      if (event !== "head") return;
      stream.sendHead(sized(0));
      stream.end();
    });
    const got = reading(peer);
    peer.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n${GET("/2")}`);
    await got.until(/200[^]*200/);
    expect(served.map(({ head }) => head.target)).toEqual(["/", "/2"]);
  });

  test.each([
    ["a head that does not end", "GET / HTTP/1.1\r\nHo", { headMs: 20 }, /^HTTP\/1\.1 408 Request Timeout/],
    ["no head at all", "", { headMs: 20 }, /^$/],
    ["content that does not come", POST(3, "a"), { contentIdleMs: 20 }, /^HTTP\/1\.1 408 /],
    ["no further request", GET("/1"), { keepAliveMs: 20 }, /^HTTP\/1\.1 200 [^]*\/1$/],
  ])("patience ends with %s (H1-66)", async (_, bytes, patience, expected) => {
    const { peer, closed } = serve(answerAtEnd, { patience });
    const got = reading(peer);
    if (bytes !== "") peer.write(bytes);
    await once(peer, "end");
    peer.end();
    await closed;
    expect(got.text()).toMatch(expected);
  });

  test("bytes that trickle in do not make the time for a head longer", async () => {
    const { peer, closed } = serve(answerAtEnd, { patience: { headMs: 60, closeMs: 20 } });
    peer.resume();
    const trickle = setInterval(() => peer.write("G"), 10);
    peer.once("end", () => peer.end());
    await closed;
    clearInterval(trickle);
  });

  test("patience ends with a client that does not read its answer (H1-66)", async () => {
    const { peer, served, closed } = serve(
      ({ stream }, event) => {
        if (event !== "end") return;
        stream.sendHead(OK);
        stream.write(Buffer.alloc(1024 * 1024));
      },
      { patience: { contentIdleMs: 20 } },
    );
    peer.write(GET("/"));
    expect(await closed).toBe("the client does not read its answer");
    expect(served[0]?.log.at(-1)).toMatch(/^reset lost/);
  });

  test("an answer that is shorter than it said is broken off, not ended", async () => {
    const { peer, served } = serve();
    peer.write(GET("/"));
    while (served.length === 0) await turn();
    peer.resume();
    served[0]?.stream.sendHead(sized(3));
    served[0]?.stream.write(Buffer.from("ab"));
    expect(() => served[0]?.stream.end()).toThrow("1 bytes left");
    await isClosed(peer);
    expect(peer.readableEnded).toBe(false);
  });

  test("drains: the answer says that it is the last", async () => {
    const { peer, connection, served, closed } = serve();
    const got = reading(peer);
    peer.write(GET("/1"));
    while (served[0]?.log.at(-1) !== "end") await turn();
    connection.drain();
    answerAtEnd(served[0], "end");
    await once(peer, "end");
    peer.end();
    await closed;
    expect(got.text()).toMatch(/Connection: close/);
  });

  test("drains between two requests: one that was on its way is answered, as the last", async () => {
    const { peer, connection, served } = serve(answerAtEnd);
    const got = reading(peer);
    peer.write(GET("/1"));
    while (!got.text().endsWith("/1")) await turn();
    connection.drain();
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(peer.readableEnded).toBe(false);
    peer.write(GET("/2"));
    await once(peer, "end");
    expect(served).toHaveLength(2);
    expect(got.text().match(/Connection: close/g)).toHaveLength(1);
    expect(got.text()).toMatch(/Connection: close[^]*\/2$/);
  });

  test("drains in the middle of an answer that did not say so: the next one does", async () => {
    const { peer, connection, served } = serve((one, event) => {
      if (event === "head") one.stream.sendHead(OK);
      if (event === "head" && one.head.target === "/2") one.stream.end();
    });
    const got = reading(peer);
    peer.write(GET("/1"));
    while (got.text() === "") await turn();
    connection.drain();
    served[0]?.stream.end();
    while (!got.text().endsWith("0\r\n\r\n")) await turn();
    expect(got.text()).not.toMatch(/Connection: close/);
    peer.write(GET("/2"));
    await once(peer, "end");
    expect(got.text()).toMatch(/Connection: close/);
  });

  test("drains: who sends nothing for a while is let go of", async () => {
    const { peer, connection, closed } = serve(answerAtEnd, { patience: { drainMs: 20 } });
    const got = reading(peer);
    peer.write(GET("/1"));
    while (!got.text().endsWith("/1")) await turn();
    connection.drain();
    await once(peer, "end");
    peer.end();
    await closed;
  });

  test("ends at once when nothing is being answered, and else after the answer", async () => {
    const idle = serve();
    idle.peer.resume();
    idle.connection.end();
    await once(idle.peer, "end");

    const { peer, connection, served } = serve();
    const got = reading(peer);
    peer.write(GET("/1"));
    while (served[0]?.log.at(-1) !== "end") await turn();
    connection.end();
    answerAtEnd(served[0], "end");
    await once(peer, "end");
    expect(got.text()).toMatch(/Connection: close[^]*\/1$/);
  });

  test("ends what has switched protocols in both directions, once", async () => {
    const { peer, connection, served, closed } = serve((one, event) => {
      if (event === "head") one.stream.sendHead({ ...OK, status: 101, framing: { kind: "tunnel" } }, ["websocket"]);
    });
    const got = reading(peer);
    peer.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    while (got.text() === "") await turn();
    connection.end();
    connection.end();
    await once(peer, "end");
    peer.end();
    await closed;
    expect(served[0]?.log).toEqual(["head", "end", "closed"]);
  });

  test.each([new Error("mine"), new Http1Error("bad-order", "mine")])(
    "what a handler throws is not taken for the client's fault: %s",
    (error) => {
      const { own, served, refused } = serve(() => {
        throw error;
      });
      expect(() => own.emit("data", Buffer.from(GET("/")))).toThrow(error);
      expect(own.destroyed).toBe(true);
      expect(served).toHaveLength(1);
      expect(refused).toEqual([]);
    },
  );
});

const request = (method = "GET", framing: RequestHead["framing"] = { kind: "none" }): RequestHead => ({
  method,
  target: "/",
  version: "1.1",
  fields: [field("Host", "a")],
  framing,
});

interface ClientSetup {
  readonly peer: End;
  readonly own: End;
  readonly connection: Http1ClientConnection;
  readonly idle: () => number;
  readonly closed: Promise<string>;
  readonly send: (
    head?: RequestHead,
    offer?: readonly string[],
    consumes?: boolean,
  ) => { readonly stream: Http1Stream; readonly log: string[]; readonly came: () => number };
}

const client = (patience: Partial<Http1Patience> = {}): ClientSetup => {
  const [own, peer] = pair();
  open.push(own, peer);
  let idle = 0;
  const gone = Promise.withResolvers<string>();
  const settings = { ...HTTP1_CLIENT_SETTINGS, patience: patient(patience) };
  const connection = new Http1ClientConnection(own, settings, {
    idle: () => (idle += 1),
    closed: (reason) => gone.resolve(reason),
  });
  const send: ClientSetup["send"] = (head = request(), offer = [], consumes = true) => {
    const log: string[] = [];
    let came = 0;
    const stream = connection.open(head, offer, (made): Http1ResponseHandler => ({
      informational: ({ status }) => log.push(`informational ${status}`),
      head: ({ status }) => log.push(`head ${status}`),
      data: (bytes) => {
        came += bytes.length;
        if (consumes) made.consumed(bytes.length);
        log.push(`data ${Buffer.from(bytes).toString("latin1").slice(0, 20)}`);
      },
      end: (trailers) => log.push(["end", ...trailers.map(({ name, value }) => `${name}=${value}`)].join(" ")),
      writable: () => log.push("writable"),
      reset: (failure) => log.push(`reset ${failure.kind}: ${failureText(failure)}`),
      closed: () => log.push("closed"),
    }));
    return { stream, log, came: () => came };
  };
  return { own, peer, connection, idle: () => idle, closed: gone.promise, send };
};

describe("a client's connection", () => {
  test("serves one request after the other, and tells when it is free", async () => {
    const { peer, connection, idle, send } = client();
    const got = reading(peer);
    for (let count = 1; count <= 3; count += 1) {
      expect(connection.isFree).toBe(true);
      const { stream, log } = send();
      expect(connection.isFree).toBe(false);
      stream.end();
      await got.until(new RegExp(`(?:GET [^]*){${count}}`));
      peer.write(
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n",
      );
      while (idle() < count) await turn();
      expect(log).toEqual(["informational 103", "head 200", "data ab", "end X=y", "closed"]);
      expect(connection.exchanges).toBe(count);
    }
  });

  test("is not free while what came together with an answer is not read", async () => {
    const { peer, connection, idle } = client();
    const free: boolean[] = [];
    const stream = connection.open(request(), [], () => ({
      informational: () => undefined,
      head: () => undefined,
      data: () => undefined,
      writable: () => undefined,
      reset: () => undefined,
      end: () => free.push(connection.isFree),
      closed: () => free.push(connection.isFree),
    }));
    stream.end();
    peer.write("HTTP/1.1 204 No\r\n\r\n");
    while (idle() === 0) await turn();
    expect(free).toEqual([false, false]);
    expect(connection.isFree).toBe(true);
  });

  test.each([
    ["two answers to one request", "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 204 No\r\n\r\n"],
    ["bytes after the answer", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"],
    ["content for HEAD", "HTTP/1.1 304 OK\r\nContent-Length: 1\r\n\r\na"],
  ])("is never free after %s in one chunk (H1-28, H1-32)", async (_, answer) => {
    const { peer, connection, idle, send, closed } = client();
    const { stream, log } = send();
    stream.end();
    peer.write(answer);
    await closed;
    expect(idle()).toBe(0);
    expect(connection.isFree).toBe(false);
    expect(log.at(-1)).toBe("closed");
  });

  test.each([
    ["bytes nobody asked for", (peer: End) => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
    ["an end", (peer: End) => peer.end()],
    ["a reset", (peer: End) => peer.destroy()],
  ])("is thrown away when %s comes while it is idle (H1-32)", async (_, act) => {
    const { peer, connection, closed } = client();
    act(peer);
    await closed;
    expect(connection.isFree).toBe(false);
    expect(() =>
      connection.open(request(), [], () => {
        throw new Error("never");
      }),
    ).toThrow("not free");
  });

  test.each([
    [
      "two lengths",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      /^reset protocol: Content-Length/,
    ],
    [
      "length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      /^reset protocol/,
    ],
    ["a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", /^reset protocol: chunk/],
    [
      "a switch nobody asked for",
      "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      /^reset protocol: 101/,
    ],
    ["a storm of 1xx", "HTTP/1.1 103 E\r\n\r\n".repeat(1000), /^reset protocol: more than/],
    ["no HTTP", "SSH-2.0-x\r\n\r\n", /^reset protocol/],
  ])("breaks off at %s and is not used again (H1-29)", async (_, answer, expected) => {
    const { peer, idle, send, closed } = client();
    const { stream, log } = send();
    stream.end();
    peer.write(answer);
    await closed;
    expect(log.at(-1)).toMatch(expected);
    expect(idle()).toBe(0);
  });

  test.each([
    ["the head", "HTTP/1.1 200"],
    ["content of known length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"],
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"],
  ])("an answer cut short in %s is a reset, never an end (H1-23)", async (_, answer) => {
    for (const act of [(peer: End) => peer.end(answer), (peer: End) => peer.write(answer, () => peer.destroy())]) {
      const { peer, send, closed } = client();
      const { stream, log } = send();
      stream.end();
      act(peer);
      await closed;
      expect(log.at(-1)).toMatch(/^reset/);
      expect(log).not.toContain("end");
    }
  });

  test("an answer that lasts until the close ends with an end, and not with a reset of the connection", async () => {
    for (const [act, last] of [
      ["end", "closed"],
      ["destroy", "reset lost: reset"],
    ] as const) {
      const { peer, send, closed } = client();
      const { stream, log } = send();
      stream.end();
      peer.write("HTTP/1.1 200 OK\r\n\r\nabc");
      while (log.length < 2) await turn();
      peer[act]();
      await closed;
      expect(log.at(-1)).toBe(last);
    }
  });

  test("an answer before the end of the request stops it: nothing more is sent, nothing follows (H1-31)", async () => {
    const { peer, idle, send, closed } = client();
    const got = reading(peer);
    const { stream, log } = send(request("POST", CHUNKED));
    stream.write(Buffer.from("abc"));
    await got.until(/abc/);
    peer.write("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
    await closed;
    const before = got.text();
    expect(stream.write(Buffer.from("more"))).toBe(true);
    stream.end();
    await turn();
    expect(got.text()).toBe(before);
    expect(before).not.toMatch(/\r\n0\r\n/);
    expect(log).toEqual(["head 413", "end", "closed"]);
    expect(idle()).toBe(0);
  });

  test("an offered switch becomes a tunnel; the end of the request is not the tunnel's", async () => {
    const { peer, send, closed } = client();
    const got = reading(peer);
    const { stream, log } = send(request(), ["echo"]);
    stream.end();
    await got.until(/Upgrade: echo\r\n\r\n/);
    peer.write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nraw");
    while (!log.includes("data raw")) await turn();
    stream.write(Buffer.from("and back"));
    await got.until(/and back$/);
    stream.end();
    peer.end();
    await closed;
    expect(log.slice(-2)).toEqual(["end", "closed"]);
  });

  test("200 to an offered switch is an ordinary answer (H1-30)", async () => {
    const { peer, send, idle } = client();
    const { stream, log } = send(request(), ["echo"]);
    stream.end();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    while (idle() === 0) await turn();
    expect(log).toEqual(["head 200", "data a", "end", "closed"]);
  });

  test("reads nothing while an answer is not consumed, and goes on when all of it is", async () => {
    const { own, peer, send } = client();
    const { stream, log, came } = send(request(), [], false);
    stream.end();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
    const more = (): void => {
      while (peer.write("a".repeat(1000)));
    };
    peer.on("drain", more);
    more();
    while (!own.isPaused()) await turn();
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(log.length).toBe(2);
    expect(came()).toBeGreaterThan(1);
    stream.consumed(1);
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(log.length).toBe(2);
    stream.consumed(came() - 1);
    while (log.length === 2) await turn();
  });

  test("patience ends with an idle connection, and with an answer that stops", async () => {
    const idle = client({ keepAliveMs: 20 });
    expect(await idle.closed).toBe("idle for too long");
    const { peer, send, closed } = client({ contentIdleMs: 20 });
    const { stream, log } = send();
    stream.end();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na");
    await closed;
    expect(log.at(-1)).toBe("reset timeout: the server stopped in the middle of its answer");
  });

  test("a head that cannot be written leaves the connection free", () => {
    const { connection } = client();
    const bad = { ...request(), fields: [field("Host", "a"), field("X", "a\r\nb")] };
    expect(() =>
      connection.open(bad, [], () => {
        throw new Error("never");
      }),
    ).toThrow("X");
    expect(connection.isFree).toBe(true);
  });
});
