import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "#local/testing/temporary-folder.ts";
import { digest, pattern } from "./answering.ts";
import { askAll, freePort, untilListening, type Wanted } from "./asking-server.ts";
import { valueOf } from "./http2-peers.ts";
import { startProgram } from "./run-program.ts";

// Our client, and nghttpd, a server on nghttp2 that is set up to use every part of HTTP/2.

const TIMEOUT_MS = 60_000;
const SIZES = [0, 1, 16_384, 65_536, 1_000_003, 5_000_000];

const serving = async (...options: readonly string[]): Promise<number> => {
  const folder = temporaryFolder();
  for (const size of SIZES) writeFileSync(join(folder, String(size)), pattern(size));
  mkdirSync(join(folder, "folder"));
  const port = await freePort();
  const args = ["--no-tls", "--address=127.0.0.1", `--htdocs=${folder}`, "--echo-upload", ...options, String(port)];
  await untilListening(startProgram("nghttpd", "apt-get install nghttp2-server", args), port);
  return port;
};

const downloads: readonly Wanted[] = SIZES.map((size) => ({ path: `/${size}` }));
const uploads: readonly Wanted[] = SIZES.map((size) => ({ path: "/echo", body: pattern(size) }));

test.each([
  ["as they come", []],
  ["one stream at a time", ["-m", "1"]],
  ["three streams at a time", ["-m", "3"]],
  ["windows of 1 KiB for streams", ["-w", "10"]],
  ["a window of 64 KiB for the connection and of 16 MiB for streams", ["-w", "24", "-W", "16"]],
  ["padding", ["-b", "255"]],
  ["no dynamic table of theirs", ["--header-table-size=0"]],
  ["no dynamic table of ours", ["--encoder-header-table-size=0"]],
  ["a large dynamic table", ["--header-table-size=64K", "--encoder-header-table-size=64K"]],
  ["no Content-Length", ["--no-content-length"]],
  ["no priorities", ["--no-rfc7540-pri"]],
])(
  "bodies go both ways: %s",
  async (_, options) => {
    const port = await serving(...options);
    const wanted = [...downloads, ...uploads];
    const { got, clients } = await askAll(port, wanted);
    expect(clients).toHaveLength(1);
    expect(got.map(({ answer }) => answer.reset)).toEqual(wanted.map(() => undefined));
    for (const { wanted: each, answer } of got) {
      const expected = each.body ?? pattern(Number(each.path.slice(1)));
      expect([each.path, answer.heads.at(-1)?.status, digest(answer.body)]).toEqual([each.path, 200, digest(expected)]);
    }
    expect(clients[0]?.transport.connection.openStreams).toBe(0);
  },
  TIMEOUT_MS,
);

test("no request is lost, and none is sent twice, where there are far more than streams", async () => {
  const port = await serving("-m", "7");
  const wanted = Array.from({ length: 1000 }, () => ({ path: "/16384" }));
  const { got } = await askAll(port, wanted);
  const expected = digest(pattern(16_384));
  expect(got.filter(({ answer, times }) => digest(answer.body) === expected && times === 1)).toHaveLength(1000);
});

test("trailers come after the content", async () => {
  const port = await serving("--trailer", "x-last: said");
  const { got } = await askAll(port, [{ path: "/1000003" }]);
  expect(valueOf(got[0]?.answer.trailers, "x-last")).toBe("said");
});

test("an answer before the end of the request leaves the request to its end", async () => {
  const port = await serving("--early-response");
  const { got } = await askAll(port, [{ path: "/65536", body: pattern(3_000_000) }, { path: "/1" }]);
  expect(got.map(({ answer }) => answer.heads.at(-1)?.status)).toEqual([200, 200]);
});

test("what is not there is an answer like any other", async () => {
  const { got } = await askAll(await serving(), [{ path: "/nothing" }, { path: "/1" }]);
  expect(Object.fromEntries(got.map(({ wanted, answer }) => [wanted.path, answer.heads.at(-1)?.status]))).toEqual({
    "/1": 200,
    "/nothing": 404,
  });
});
