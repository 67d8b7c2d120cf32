import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { exportPrivateKey } from "#certs/x509/key-pair.ts";
import { formatCertificates, formatPem } from "#certs/x509/pem.ts";
import { temporaryFolder } from "#local/testing/temporary-folder.ts";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import { startForwarder } from "#test/programs/http1-forwarder.ts";
import { answering, digest, pattern } from "./answering.ts";
import { listening, type OwnServer, ownServer } from "./http2-peers.ts";
import { curl, type Finished, h2load, nghttp } from "./run-program.ts";

// Our server, and clients on nghttp2 that are set up to use every part of HTTP/2: nghttp, h2load and curl.

const TIMEOUT_MS = 60_000;
const MB = 1024 * 1024;

const { key, chain } = testAuthority().credentials("shop/web", { dnsNames: ["localhost"] });
const TLS = {
  key: formatPem("PRIVATE KEY", exportPrivateKey(key)),
  cert: formatCertificates(chain),
  ALPNProtocols: ["h2"],
};

interface Way {
  readonly title: string;
  readonly scheme: "http" | "https";
  /** How curl comes to HTTP/2. */
  readonly curl: readonly string[];
}

const WAYS: readonly Way[] = [
  { title: "in clear, by prior knowledge", scheme: "http", curl: ["--http2-prior-knowledge"] },
  { title: "over TLS, by ALPN", scheme: "https", curl: ["--http2", "--insecure"] },
];

const file = (bytes: Uint8Array): string => {
  const folder = temporaryFolder();
  const path = join(folder, "content");
  writeFileSync(path, bytes);
  return path;
};

const textOf = ({ code, out, errors }: Finished): string => {
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
  return out.toString("latin1");
};

interface UrlServer extends OwnServer {
  readonly url: (path: string) => string;
}

const servingBy = async (scheme: Way["scheme"]): Promise<UrlServer> => {
  const server = await ownServer(answering, HTTP2_LIMITS.limits, scheme === "https" ? TLS : undefined);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { ...server, url: (path) => `${scheme}://127.0.0.1:${server.port}${path}` };
};

/** Nothing is left behind by whoever has gone. */
const nothingOpen = ({ transports }: OwnServer): Promise<void> =>
  vi.waitFor(() => {
    expect(transports.map(({ connection }) => connection.openStreams)).toEqual(transports.map(() => 0));
  });

describe.each(WAYS)("$title", ({ scheme, curl: byHttp2 }) => {
  const serving = (): Promise<UrlServer> => servingBy(scheme);

  test.each([
    ["as they come", []],
    ["windows of 1 KiB for streams", ["-w", "10"]],
    ["a window of 64 KiB for the connection and of 16 MiB for streams", ["-w", "24", "-W", "16"]],
    ["windows of 16 MiB", ["-w", "24", "-W", "24"]],
    ["padding", ["-b", "255"]],
    ["no dynamic table of theirs", ["--header-table-size=0"]],
    ["a dynamic table that shrinks and grows again", ["--header-table-size=0", "--header-table-size=16K"]],
    ["no dynamic table of ours", ["--encoder-header-table-size=0"]],
    ["priorities", ["-p", "200"]],
    ["no priorities", ["--no-rfc7540-pri", "--no-dep"]],
    ["CONTINUATION", ["--continuation"]],
  ])(
    "nghttp downloads and uploads the same bytes: %s",
    async (_, options) => {
      const server = await serving();
      const size = options.includes("10") ? MB : 8 * MB;
      const content = pattern(size);
      const got = await nghttp("-y", ...options, server.url(`/bytes/${size}`));
      expect(got).toMatchObject({ code: 0, errors: "" });
      expect(digest(got.out)).toBe(digest(content));
      const path = file(content);
      expect(textOf(await nghttp("-y", ...options, "-d", path, server.url("/digest")))).toBe(
        `${digest(content)} ${size}\n`,
      );
      const echoed = await nghttp("-y", ...options, "--no-content-length", "-d", path, server.url("/echo"));
      expect(digest(echoed.out)).toBe(digest(content));
      await nothingOpen(server);
    },
    TIMEOUT_MS,
  );

  test(
    "nghttp has as many streams at once as it may, and every byte of each comes",
    async () => {
      const server = await serving();
      const [count, size] = [300, 30_000];
      const { out, code } = await nghttp("-y", "-n", "-s", "-m", String(count), server.url(`/bytes/${size}`));
      const lines = out
        .toString()
        .split("\n")
        .filter((line) => line.endsWith(` 200  29K /bytes/${size}`));
      expect([code, lines.length]).toEqual([0, count]);
      expect(server.transports).toHaveLength(1);
      await nothingOpen(server);
    },
    TIMEOUT_MS,
  );

  test.each([
    ["downloads", 2000, 10_000, []],
    ["uploads", 200, 0, ["-d"]],
  ])(
    "h2load: many streams on many connections, %s",
    async (kind, requests, size, upload) => {
      const server = await serving();
      const data = upload.flatMap((flag) => [flag, file(pattern(200_000))]);
      const path = kind === "uploads" ? "/digest" : `/bytes/${size}`;
      const out = textOf(await h2load("-n", String(requests), "-c", "4", "-m", "50", ...data, server.url(path)));
      expect(out).toContain(
        `requests: ${requests} total, ${requests} started, ${requests} done, ${requests} succeeded, 0 failed, 0 errored, 0 timeout`,
      );
      const answer = kind === "uploads" ? `${digest(pattern(200_000))} 200000\n`.length : size;
      expect(out).toMatch(new RegExp(`headers \\(space savings .*\\((?:${requests * answer})\\) data`));
      await nothingOpen(server);
    },
    TIMEOUT_MS,
  );

  test("trailers go both ways", async () => {
    const server = await serving();
    const sent = await nghttp("-y", "--trailer", "x-sum: 3", "-d", file(Buffer.from("abc")), server.url("/digest"));
    expect(textOf(sent)).toBe(`${digest(Buffer.from("abc"))} 3 x-sum=3\n`);
    const { out } = await curl(...byHttp2, "--include", server.url("/trailers"));
    expect(out.toString()).toMatch(/\r\n\r\ncontent(?:\r\n)?x-last: said\r\n/);
  });

  test("HEAD has the length of GET and nothing more", async () => {
    const server = await serving();
    const head = textOf(await curl(...byHttp2, "--head", server.url("/bytes/12345")));
    expect(head).toMatch(/^HTTP\/2 200 \r\ncontent-length: 12345\r\n\r\n$/);
    expect(textOf(await nghttp("-y", "-H", ":method: HEAD", server.url("/bytes/12345")))).toBe("");
    await nothingOpen(server);
  });

  test("100 is waited for, and 103 is passed on before the answer", async () => {
    const server = await serving();
    const content = pattern(MB);
    const path = file(content);
    const verbose = textOf(await nghttp("-y", "-v", "--expect-continue", "-d", path, server.url("/digest")));
    expect(verbose.indexOf(":status: 100")).toBeGreaterThan(0);
    expect(verbose.indexOf("send DATA")).toBeGreaterThan(verbose.indexOf(":status: 100"));
    expect(verbose).toContain(`${digest(content)} ${MB}\n`);
    const continued = ["-H", "Expect: 100-continue", "--expect100-timeout", "50", "--data-binary", `@${path}`];
    const waited = textOf(await curl(...byHttp2, ...continued, "--include", server.url("/digest")));
    expect(waited).toBe(`HTTP/2 100 \r\n\r\nHTTP/2 200 \r\n\r\n${digest(content)} ${MB}\n`);
    const hinted = textOf(await curl(...byHttp2, "--include", server.url("/hints")));
    expect(hinted).toBe("HTTP/2 103 \r\nlink: </a>; rel=preload\r\n\r\nHTTP/2 200 \r\n\r\ncontent");
  });

  test("heads up to the limits come whole, and one above is refused alone", async () => {
    const server = await serving();
    const names = Array.from({ length: 90 }, (_, i) => [`x-${i}`, `${i}-`.padEnd(300, "v")] as const);
    const headers = names.flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const saw = textOf(await curl(...byHttp2, ...headers, server.url("/saw")));
    for (const [name, value] of names) expect(saw).toContain(`\n${name}: ${value}\n`);
    const got = textOf(await curl(...byHttp2, "--include", server.url("/fields/99")));
    for (let i = 0; i < 99; i += 1) expect(got).toContain(`\r\nx-${i}: ${`${i}-`.padEnd(256, "v")}\r\n`);
    const above = await nghttp("-y", "-n", "-s", "-H", `x: ${"v".repeat(20_000)}`, server.url("/saw"));
    expect(above.out.toString()).not.toMatch(/ 200 /);
    expect(textOf(await curl(...byHttp2, "-o", "/dev/null", "-w", "%{http_code}", server.url("/saw")))).toBe("200");
  });

  test("cookies come in crumbs and are all there", async () => {
    const server = await serving();
    const saw = textOf(await nghttp("-y", "-H", "cookie: a=b", "-H", "cookie: c=d", server.url("/saw")));
    expect(saw).toMatch(/^cookie: a=b(?:; c=d$|\ncookie: c=d$)/m);
    expect(textOf(await curl(...byHttp2, "-b", "a=b; c=d", server.url("/saw")))).toMatch(
      /^cookie: a=b(?:; c=d$|\ncookie: c=d$)/m,
    );
  });
});

// Over TLS alone: curl 7.88 cannot use a connection twice that it began by prior knowledge, whoever the server is.
test(
  "many streams of curl on one connection do not mix",
  async () => {
    const server = await servingBy("https");
    const urls = Array.from({ length: 40 }, (_, i) => server.url(`/bytes/${(i + 1) * 4001}`));
    const folder = temporaryFolder();
    const outputs = urls.flatMap((url, i) => ["-o", join(folder, String(i)), url]);
    const parallel = ["--parallel", "--parallel-max", "40", "--no-progress-meter"];
    textOf(await curl("--http2", "--insecure", ...parallel, ...outputs));
    const got = urls.map((_, i) => digest(readFileSync(join(folder, String(i)))));
    expect(got).toEqual(urls.map((_, i) => digest(pattern((i + 1) * 4001))));
    expect(server.transports).toHaveLength(1);
  },
  TIMEOUT_MS,
);

describe("a server of HTTP/1.1 that is asked to switch to h2c (RFC 9113 section 3.1)", () => {
  const origin = async (): Promise<string> => {
    const server = createHttpServer((request, response) => response.end(JSON.stringify(request.headers)));
    const forwarder = await startForwarder(await listening(server));
    onTestFinished(() => {
      forwarder.close();
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${forwarder.port}/`;
  };

  test("answers curl in HTTP/1.1, and the offer goes no further", async () => {
    const got = textOf(await curl("--http2", "--include", await origin()));
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(got).not.toMatch(/upgrade|http2-settings/i);
  });

  test("does not switch for nghttp, which gives up", async () => {
    const { errors } = await nghttp("-u", await origin());
    expect(errors).toContain("HTTP Upgrade failed");
  });
});
