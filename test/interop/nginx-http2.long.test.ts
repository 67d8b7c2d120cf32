import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { env } from "node:process";
import { expect, onTestFinished, test as anyTest } from "vitest";
import { findProgram, searchPath } from "#local/processes/search-path.ts";
import { temporaryFolder } from "#local/testing/temporary-folder.ts";
import { digest, pattern } from "./answering.ts";
import { askAll, freePort, untilListening } from "./asking-server.ts";
import { listening } from "./http2-peers.ts";
import { startProgram } from "./run-program.ts";

// Our client, and nginx: of another tree than nghttp2. It is not installed for the tests, because Debian starts the nginx that it
// installs, on a port that everybody can reach: nobody's tests should do that without being asked.
const test = anyTest.skipIf(findProgram("nginx", searchPath(env.PATH)) === undefined);

/** Says what it was sent, or breaks off in the middle of an answer. */
const backend = async (): Promise<number> => {
  const server = createServer((asked, response) => {
    const hash = createHash("sha256");
    asked.on("data", (bytes: Buffer) => hash.update(bytes));
    asked.on("end", () => {
      if (asked.url !== "/broken") return response.end(hash.digest("hex"));
      response.writeHead(200, { "content-length": "100000" });
      return response.write(pattern(50_000), () => response.destroy());
    });
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return listening(server);
};

const serving = async (directives: string): Promise<{ readonly port: number; readonly served: () => string[] }> => {
  const folder = temporaryFolder();
  const port = await freePort();
  mkdirSync(join(folder, "html"));
  writeFileSync(join(folder, "html", "large"), pattern(8_000_000));
  writeFileSync(join(folder, "html", "small"), pattern(10_000));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  writeFileSync(
    join(folder, "config"),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  log_format path "$request_uri $status"; access_log ${folder}/access.log path;
  ${temporary.join(" ")}
  client_max_body_size 0; ${directives}
  server {
    listen 127.0.0.1:${port} http2; root ${folder}/html;
    location /proxied { proxy_pass http://127.0.0.1:${await backend()}/; proxy_http_version 1.1; }
    location /broken { proxy_pass http://127.0.0.1:${await backend()}; proxy_http_version 1.1; }
    location /number { return 200 $request_uri; }
  }
}
`,
  );
  const args = ["-c", join(folder, "config"), "-p", folder, "-e", join(folder, "error.log")];
  await untilListening(startProgram("nginx", "apt-get install nginx", args), port);
  return { port, served: () => readFileSync(join(folder, "access.log"), "utf8").trimEnd().split("\n") };
};

test("bodies go both ways", async () => {
  const { port } = await serving("");
  const body = pattern(6_000_000);
  const downloads = Array.from({ length: 4 }, () => ({ path: "/large" }));
  const uploads = Array.from({ length: 4 }, () => ({ path: "/proxied", body }));
  const { got } = await askAll(port, [...downloads, ...uploads]);
  for (const { wanted, answer } of got) {
    if (wanted.path === "/large") expect(digest(answer.body)).toBe(digest(pattern(8_000_000)));
    else expect(String(answer.body)).toBe(digest(body));
  }
});

test("a server that ends its connections again and again loses no request, and is sent none twice", async () => {
  const { port, served } = await serving("keepalive_requests 10;");
  const wanted = Array.from({ length: 300 }, (_, number) => ({ path: `/number/${number}` }));
  const { got, clients } = await askAll(port, wanted, 8);
  const paths = wanted.map(({ path }) => path);
  expect(got.map(({ answer }) => String(answer.body)).toSorted()).toEqual(paths.toSorted());
  expect(clients.length).toBeGreaterThanOrEqual(10);
  expect(clients.filter(({ goAways }) => goAways.length > 0).length).toBeGreaterThanOrEqual(10);
  expect(served().toSorted()).toEqual(paths.map((path) => `${path} 200`).toSorted());
});

test("as many streams as it allows, and no more", async () => {
  const { port } = await serving("http2_max_concurrent_streams 2;");
  const { got, clients } = await askAll(
    port,
    Array.from({ length: 200 }, () => ({ path: "/small" })),
  );
  expect(
    got.filter(({ answer, times }) => digest(answer.body) === digest(pattern(10_000)) && times === 1),
  ).toHaveLength(200);
  expect(clients).toHaveLength(1);
  expect(clients[0]?.transport.connection.peerSettings.maxConcurrentStreams).toBe(2);
});

test("an answer that the server breaks off is a reset of its stream alone", async () => {
  const { port } = await serving("");
  const { got, clients } = await askAll(port, [{ path: "/broken" }, { path: "/large" }, { path: "/small" }]);
  expect(Object.fromEntries(got.map(({ wanted, answer }) => [wanted.path, answer.reset !== undefined]))).toEqual({
    "/broken": true,
    "/large": false,
    "/small": false,
  });
  expect(clients).toHaveLength(1);
});
