import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram, searchPath } from "#local/processes/search-path.ts";
import { pod, service } from "../local/yaml.ts";
import { onNode } from "../mesh/talking-pods.ts";
import { InteropMesh } from "./interop-mesh.ts";

// Clients and servers that know nothing of the mesh between them: curl, h2load, wrk, undici; Node.js, nginx, Python's http.server.

const folder = mkdtempSync(join(tmpdir(), "heddle-served-"));
/** It is not installed for the tests, because Debian starts it at once, for everybody. */
const hasNginx = findProgram("nginx", searchPath(env.PATH)) !== undefined;
const FILE = Buffer.alloc(2_000_000, "a file's content, again and again\n");
const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Ends connections after 100 requests, and idle ones after a second. */
const NGINX = `daemon off; master_process off; pid ${folder}/nginx/pid; error_log ${folder}/nginx/error.log;
events { worker_connections 512; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/nginx/${kind};`).join(" ")}
  client_max_body_size 0; keepalive_requests 100; keepalive_timeout 1s;
  server {
    listen 8082; listen [::]:8082;
    root ${folder}/files;
    location /number { return 200 $request_uri; }
  }
  server { listen 8083 http2; listen [::]:8083 http2; root ${folder}/files; location /number { return 200 $request_uri; } }
}
`;

const others = [
  pod("shop/python", ["python3", "-m", "http.server", "8000", "--directory", `${folder}/files`], {
    labels: { app: "python" },
    annotations: onNode(2),
  }),
  // It listens on IPv4 alone.
  service("shop/python", {
    ipFamilies: ["IPv4"],
    selector: { app: "python" },
    ports: [{ name: "http", port: 80, targetPort: 8000 }],
  }),
  ...(hasNginx
    ? [
        pod("shop/nginx", ["nginx", "-c", `${folder}/nginx/config`], {
          labels: { app: "nginx" },
          annotations: onNode(2),
          spec: {},
        }),
        service("shop/nginx", {
          selector: { app: "nginx" },
          ports: [
            { name: "http", port: 80, targetPort: 8082 },
            { name: "http2", port: 81, targetPort: 8083 },
          ],
        }),
      ]
    : []),
].join("");

const mesh = new InteropMesh({ KEEP_ALIVE_MS: "1000" }, { "others.yaml": others });

beforeAll(async () => {
  for (const each of ["files", "nginx"]) mkdirSync(join(folder, each));
  writeFileSync(join(folder, "files/large"), FILE);
  writeFileSync(join(folder, "nginx/config"), NGINX);
  await mesh.upAndReady();
});
afterAll(async () => {
  await mesh.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const curl = (...args: readonly string[]): Promise<string> =>
  mesh.command("curl", "--silent", "--show-error", "--max-time", "60", ...args);
/** A shell command in the client's pod. */
const shell = (line: string): Promise<string> => mesh.command("sh", "-c", line);

describe("curl", () => {
  test.each([
    ["HTTP/1.1", "--http1.1", "1.1", "http://web"],
    ["HTTP/2", "--http2-prior-knowledge", "2", "http://web:81"],
  ])("%s: status, heads, content both ways, trailers", async (_, version, seen, url) => {
    const write = ["--write-out", "%{http_code} %{http_version} %{size_download}", "--output", "/dev/null", version];
    expect(await curl(...write, `${url}/bytes/3000000`)).toBe(`200 ${seen} 3000000`);
    expect(await curl(...write, `${url}/nothing`)).toBe(`404 ${seen} 9`);
    expect(await curl(...write, "--head", `${url}/bytes/1000`)).toBe(`200 ${seen} 0`);
    expect(await curl(version, `${url}/trailers`, "--include")).toMatch(/content\n[^]*$/);
    // Large enough that curl asks for 100-continue first.
    const sent = Buffer.alloc(3_000_000, "0123456789");
    const upload = await shell(
      `head -c 3000000 /dev/zero | tr '\\0' x | curl -s ${version} --data-binary @- ${url}/digest`,
    );
    expect(upload).toBe(`${digest(Buffer.alloc(sent.length, "x"))} 3000000 {}`);
    const chunked = await shell(
      `head -c 300000 /dev/zero | tr '\\0' y | curl -s ${version} -T - -X POST ${url}/echo | sha256sum`,
    );
    expect(chunked.split(" ")[0]).toBe(digest(Buffer.alloc(300_000, "y")));
  });

  test("early hints arrive before the answer", async () => {
    expect(await curl("--include", "http://web/hints")).toMatch(/^HTTP\/1.1 103 [^]*HTTP\/1.1 200 [^]*after hints$/);
  });

  test("several requests on one connection", async () => {
    const urls = Array.from({ length: 9 }, () => "http://web/who");
    const said = await curl("--write-out", "%{num_connects}\n", ...urls);
    const lines = said.split("\n").filter((line) => line !== "");
    expect(lines.filter((line) => line === "1").length).toBe(1);
    expect([...new Set(lines.filter((line) => line.startsWith("web-")))].sort()).toEqual(["web-0", "web-1", "web-2"]);
  });
});

test.each([
  ["HTTP/1.1", "--h1", "http://web"],
  ["HTTP/2", "--max-concurrent-streams=10", "http://web:81"],
])("h2load, %s: every request of 8 connections is answered with success", async (_, how, url) => {
  const said = await mesh.command("h2load", "-n", "2000", "-c", "8", how, `${url}/bytes/2000`);
  expect(said).toContain("2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout");
  expect(said).toContain("2000 2xx, 0 3xx, 0 4xx, 0 5xx");
});

test("wrk: no error of a socket, and no answer but 200", async () => {
  const said = await mesh.command(
    "wrk",
    "-t",
    "1",
    "-c",
    "16",
    "-d",
    "2s",
    "--timeout",
    "30s",
    "http://web/bytes/2000",
  );
  expect(said).toMatch(/[1-9][0-9]* requests in/);
  expect(said).not.toMatch(/Socket errors|Non-2xx/);
});

test("undici: pipelines, streamed content, and fetch", async () => {
  const { counts, ...rest } = await mesh.program<{ readonly counts: Readonly<Record<string, number>> }>(
    "http-client",
    "undici",
    "web:80",
  );
  expect(Object.keys(counts).sort()).toEqual(["200 web-0", "200 web-1", "200 web-2"]);
  expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(200);
  const sent = Buffer.concat(Array.from({ length: 100 }, (_, index) => Buffer.alloc(10_000, String(index))));
  expect(rest).toEqual({ uploaded: `${digest(sent)} 1000000 {}`, fetched: 1_000_000 });
});

test("a server that ends idle connections is never met in the moment at which it does", async () => {
  const counts = await mesh.program<object>("http-client", "spaced", "web:80", 30, 1_000, 4);
  expect(counts).toEqual({ 200: 120 });
});

test("Python's http.server, which ends each connection after its answer", async () => {
  expect(await curl("--write-out", " %{http_code} %{http_version}", "--head", "http://python/large")).toMatch(
    /Content-Length: 2000000[^]* 200 1(?:\.[01])?$/i,
  );
  const sums = await shell("for i in 1 2 3; do curl -s http://python/large | sha256sum; done");
  expect([...new Set(sums.split("\n"))]).toEqual([`${digest(FILE)}  -`]);
  const refused = await curl(
    "--write-out",
    "%{http_code}",
    "--output",
    "/dev/null",
    "--data",
    "x",
    "http://python/large",
  );
  expect(refused).toBe("501");
});

describe.skipIf(!hasNginx)("nginx", () => {
  test.each([
    ["HTTP/1.1", "http://nginx", "--http1.1"],
    ["HTTP/2", "http://nginx:81", "--http2-prior-knowledge"],
  ])("%s: a file, a part of it, one that is not there", async (_, url, version) => {
    expect(await shell(`curl -s ${version} ${url}/large | sha256sum`)).toBe(`${digest(FILE)}  -`);
    expect(await curl(version, "--range", "5-10", `${url}/large`)).toBe(FILE.subarray(5, 11).toString());
    const missing = ["--output", "/dev/null", "--write-out", "%{http_code}"];
    expect(await curl(version, ...missing, `${url}/none`)).toBe("404");
  });

  test.each([
    ["HTTP/1.1", "http://nginx/number", "--h1"],
    ["HTTP/2", "http://nginx:81/number", "--max-concurrent-streams=10"],
  ])("%s: no request is lost on connections that end after a hundred", async (_, url, how) => {
    const said = await mesh.command("h2load", "-n", "2000", "-c", "8", how, url);
    expect(said).toContain("2000 succeeded, 0 failed, 0 errored, 0 timeout");
  });
});
