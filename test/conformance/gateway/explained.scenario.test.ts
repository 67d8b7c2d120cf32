import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ExplainedEndpoints, RequestExplanation, RequestQuestion } from "#mesh/admin/request-explanation.ts";
import { assertNever } from "#mesh/assert-never.ts";
import { UnixClient } from "#local/socket/unix-client.ts";
import { echoedHeaders, echoedLines } from "./echo-answer.ts";
import { type ClientName, CLIENTS, EchoMesh, manifest, MESH } from "./echo-mesh.ts";
import type { Answer, Request } from "./programs/request.ts";

// What `heddle explain request` says is what a request gets: each is explained, then sent, and both are compared.

const mesh = new EchoMesh();
const runtime = new UnixClient(join(mesh.state, "heddle.sock"));
beforeAll(() => mesh.upAndReady());
afterAll(async () => {
  await runtime.close();
  await mesh.dispose();
});

const explain = async (request: Request, from: ClientName): Promise<RequestExplanation> => {
  const [namespace = "", name = ""] = CLIENTS[from].split("/");
  const headers = Object.entries(request.headers ?? {}).map(([name, value]) => ({ name, value: String(value) }));
  const question: RequestQuestion = { from: { namespace, name }, url: request.url, method: request.method, headers };
  const node = (await mesh.pod(CLIENTS[from]))?.node;
  const answer = await runtime.json<RequestExplanation>(`/nodes/${node}/explain/request`, {
    method: "POST",
    body: question,
    timeoutMs: 30_000,
  });
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
};

/** What an answer has that was not explained; nothing where it is as explained. */
const surprises = ({ outcome }: RequestExplanation, answer: Answer): readonly unknown[] => {
  const { Hostname, ...echoed } = echoedLines(answer.body);
  switch (outcome.kind) {
    case "redirect":
      return differences([answer.status, answer.headers.location?.[0]], [outcome.status, outcome.location]);
    case "error":
      return differences(
        [answer.status, answer.headers["x-heddle-error"]?.length, answer.body],
        [outcome.status, 1, expect.stringContaining(outcome.reason)],
      );
    case "unrouted":
      return differences([answer.status, namesOf(outcome.endpoints)], [200, expect.arrayContaining([Hostname])]);
    case "forward": {
      const forwards = outcome.backends.flatMap(({ outcome }) => (outcome.kind === "forward" ? [outcome] : []));
      const taken = forwards.find(({ endpoints }) => namesOf(endpoints).includes(Hostname));
      if (!taken) {
        const hasFailing = outcome.backends.some(
          ({ outcome }) =>
            (outcome.kind === "error" && outcome.status === answer.status) ||
            (outcome.kind === "forward" && outcome.endpoints.eligible === 0 && answer.status === 503),
        );
        return hasFailing ? [] : [[answer, outcome]];
      }
      const { request } = taken;
      const sent = echoedHeaders(answer.body);
      const wanted = Object.groupBy(request.fields, ({ name }) => name.toLowerCase());
      return [
        ...differences([echoed.URL, echoed.Host], [request.target, request.authority]),
        ...Object.entries(wanted).flatMap(([name, fields = []]) =>
          differences(sent[name], fields.map(({ value }) => value).join(",")),
        ),
      ];
    }
    case "nowhere":
    case "passthrough":
    case "respond":
      return [[answer, outcome]];
    default:
      return assertNever(outcome);
  }
};

const namesOf = ({ listed }: ExplainedEndpoints): readonly (string | undefined)[] =>
  listed.filter(({ excluded }) => excluded === undefined).map(({ workload }) => workload.name);

const differences = (got: unknown, wanted: unknown): readonly unknown[] => {
  try {
    expect(got).toEqual(wanted);
    return [];
  } catch {
    return [{ got, wanted }];
  }
};

const get = (path: string, headers: Readonly<Record<string, string>> = {}): Request => ({
  url: `http://echo${path}`,
  headers,
});

const HEADERS = { "X-Header-Set": "a", "X-Header-Add": "b", "X-Header-Remove": "c", Other: "d" };

test.each<[manifest: string, route: string, requests: readonly Request[], from?: ClientName]>([
  [
    "matching",
    "mesh-matching",
    [
      get("/"),
      get("/example"),
      get("/v2"),
      get("/v2/x"),
      get("/v2example"),
      get("/", { Version: "two" }),
      get("/", { Version: "one" }),
    ],
  ],
  [
    "query-param-matching",
    "mesh-query-param-matching",
    [
      "/?animal=whale",
      "/?animal=dolphin&color=blue",
      "/?color=blue",
      "/path1?animal=whale",
      "/path4?animal=kraken",
    ].map((path) => get(path)),
  ],
  [
    "redirect-path",
    "mesh-redirect-path",
    ["/original-prefix/lemon?a=b", "/full/path/original", "/path-and-status", "/other"].map((path) => get(path)),
  ],
  [
    "rewrite-path",
    "mesh-rewrite-path",
    ["/prefix/one/two?a=b", "/strip-prefix", "/full/one/two", "/full/rewrite-path-and-modify-headers/test"].map(
      (path) => get(path, HEADERS),
    ),
  ],
  [
    "request-header-modifier",
    "mesh-request-header-modifier",
    ["/set", "/add", "/remove", "/multiple"].map((path) => get(path, HEADERS)),
  ],
  [
    "backend-request-header-modifier",
    "mesh-request-header-modifier",
    ["/set", "/add", "/remove"].map((path) => get(path, HEADERS)),
  ],
  ["consumer-route", "echo-v1", [{ url: `http://echo-v1.${MESH}/x` }], "consumer"],
  [
    "failures",
    "failures",
    [
      "/unweighted",
      "/unresolved",
      "/empty",
      "/only-unresolved",
      "/no-such-port",
      "/only-empty",
      "/all-zero",
      "/no-backends",
      "/extension-filter",
      "/nothing",
    ].map((path) => get(path)),
  ],
])("of %s everything is explained as it comes", async (file, route, requests, from = "echo-v1") => {
  mesh.routes(manifest(`routes/${file}.yaml`));
  const all = async () => {
    const explanations = await Promise.all(requests.map((request) => explain(request, from)));
    const isThere = explanations.every(({ routes }) =>
      routes?.candidates.some(({ rule }) => rule.route.name === route),
    );
    if (!isThere) return ["the route is not there yet"];
    const answers = await mesh.send(
      requests.map((request) => ({ ...request, count: 1 })),
      from,
    );
    return explanations.flatMap((explanation, index) => surprises(explanation, answers[index] ?? NOTHING));
  };
  await expect.poll(all, { timeout: 60_000 }).toEqual([]);
});

const NOTHING: Answer = { headers: {}, trailers: {}, body: "", error: "no answer" };

test("where no route holds, one of the endpoints that were named answers", async () => {
  mesh.remove("routes.yaml");
  for (const request of [
    get("/"),
    { url: "http://echo-v2:8080/x" },
    { url: `http://${await mesh.address(CLIENTS["echo-v2"])}:8080/` },
  ]) {
    await expect
      .poll(
        async () => {
          const [explanation, [answer = NOTHING]] = [await explain(request, "echo-v1"), await mesh.send([request])];
          return [explanation.outcome.kind, ...surprises(explanation, answer)];
        },
        { timeout: 60_000 },
      )
      .toEqual(["unrouted"]);
  }
});
