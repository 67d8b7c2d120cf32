import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AMBIENT, namespace, pod, service, sleeper } from "../local/yaml.ts";
import type { Report, Seen } from "../programs/http-app.ts";
import type { RaceResult } from "../programs/http-race.ts";
import type { Heard, Http2Probe, Probe, Step } from "../programs/http-probe.ts";
import { onNode, serviceAccount, TalkingPods } from "./talking-pods.ts";

// What pods see of HTTP through the mesh: between two pods of it (`client`), and from one outside of it in clear (`stranger`).

const PROGRAMS = join(import.meta.dirname, "../programs");

const app = (name: string): string =>
  serviceAccount(`shop/${name}`) +
  pod(`shop/${name}`, ["node", join(PROGRAMS, "http-app.ts")], {
    labels: { app: name },
    annotations: onNode(2),
    spec: { serviceAccountName: name },
  });

const PORTS = [8090, 8091, 8092, 8094, 8095].map((port) => ({
  name: `${port === 8092 || port === 8095 ? "http2" : "http"}-${port}`,
  port,
}));

/** Has the pods with these labels refuse whatever comes in clear. */
const strict = (name: string, labels: Readonly<Record<string, string>>): string =>
  `---\n${JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { namespace: "shop", name },
    spec: { selector: { matchLabels: labels }, mtls: { mode: "STRICT" } },
  })}\n`;

const ROUTE = `---\n${JSON.stringify({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { namespace: "shop", name: "some" },
  spec: {
    parentRefs: [{ group: "", kind: "Service", name: "routed", port: 80 }],
    rules: [
      {
        matches: [{ path: { type: "PathPrefix", value: "/yes" } }],
        backendRefs: [{ name: "web", port: 8090 }],
      },
      { matches: [{ path: { type: "PathPrefix", value: "/invalid" } }], backendRefs: [{ name: "missing", port: 80 }] },
    ],
  },
})}\n`;

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    serviceAccount("shop/client"),
    sleeper("shop/client", { annotations: onNode(1), spec: { serviceAccountName: "client" } }),
    app("web"),
    app("late"),
    serviceAccount("shop/closing"),
    pod("shop/closing", ["python3", join(PROGRAMS, "closing-server.py"), "8093", "200"], {
      labels: { app: "closing" },
      annotations: onNode(2),
      spec: { serviceAccountName: "closing" },
    }),
    serviceAccount("shop/answers"),
    pod("shop/answers", ["node", join(PROGRAMS, "http-cases.ts"), "serve", "8096"], {
      labels: { app: "answers" },
      annotations: onNode(2),
      spec: { serviceAccountName: "answers" },
    }),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
  "services.yaml": [
    service("shop/web", { selector: { app: "web" }, ports: PORTS }),
    service("shop/late", { selector: { app: "late" }, ports: PORTS }),
    service("shop/closing", { selector: { app: "closing" }, ports: [{ name: "http", port: 8093 }] }),
    service("shop/answers", { selector: { app: "answers" }, ports: [{ name: "http", port: 8096 }] }),
    service("shop/nobody", { selector: { app: "nobody" }, ports: [{ name: "http", port: 80 }] }),
    service("shop/closed", { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 9 }] }),
    service("shop/routed", { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8090 }] }),
  ].join(""),
  "routes.yaml": ROUTE,
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const soon = { timeout: 30_000 };

const play = async (from: string, probes: readonly Probe[]): Promise<readonly Heard[]> => {
  const said = await mesh.exec(from, "node", join(PROGRAMS, "http-probe.ts"), JSON.stringify(probes));
  try {
    return JSON.parse(said) as readonly Heard[];
  } catch {
    throw new Error(`the probe in ${from} said: ${said}`);
  }
};

const CALLERS = ["shop/client", "outside/stranger"] as const;
const addresses = new Map<string, string>();
const addressOf = async (key: string): Promise<string> => {
  const known = addresses.get(key) ?? (await mesh.address(key));
  addresses.set(key, known);
  return known;
};
/** Strangers do not know names of Services in `shop`; the address of the pod is as good. */
const hostOf = async (from: string, name: string): Promise<string> =>
  from === "shop/client" ? name : addressOf(`shop/${name}`);

/** Sends each to a port of `web`, on a connection of its own, until the end of the connection. */
const raw = async (from: string, port: number, ...scripts: readonly (readonly Step[])[]): Promise<readonly Heard[]> => {
  const host = await hostOf(from, "web");
  return play(
    from,
    scripts.map((steps) => ({ host, port, steps })),
  );
};

const http2 = async (from: string, port: number, ...requests: readonly Http2Probe[]): Promise<readonly Heard[]> => {
  const host = await hostOf(from, "web");
  return play(
    from,
    requests.map((request) => ({ host, port, request })),
  );
};

const get = (target: string, ...fields: readonly string[]): string =>
  [`GET ${target} HTTP/1.1`, "Host: web", ...fields, "", ""].join("\r\n");
const once = (target: string, ...fields: readonly string[]): readonly Step[] => [
  { say: get(target, "Connection: close", ...fields) },
  { until: "" },
];

/** What the app has seen, as it says in an answer. */
const seenIn = ({ text }: Heard): Seen =>
  JSON.parse(/\{.*\}/.exec(text)?.[0] ?? `{"said":${JSON.stringify(text)}}`) as Seen;
const pairs = ({ fields }: Seen): readonly (readonly [string, string])[] =>
  fields.flatMap((name, index) => (index % 2 === 0 ? [[name.toLowerCase(), fields[index + 1] ?? ""] as const] : []));
const values = (seen: Seen, name: string): readonly string[] =>
  pairs(seen).flatMap(([each, value]) => (each === name ? [value] : []));

const report = async (name = "web"): Promise<Report> => {
  const [heard] = await play("shop/client", [{ host: name, port: 8090, steps: once("/report") }]);
  return JSON.parse(/\{.*\}/.exec(heard?.text ?? "")?.[0] ?? "") as Report;
};

describe.each(CALLERS)("%s", (from) => {
  test("HTTP/1.1 stays, requests sent together are answered in order, and content and trailers go both ways", async () => {
    const chunked = "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n";
    const [stays, both] = await raw(
      from,
      8090,
      [{ say: get("/one") + get("/two") + get("/bare") + get("/three", "Connection: close") }, { until: "" }],
      [
        { say: `POST /up HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${chunked}` },
        { until: '"/up"' },
        { until: "\n" },
      ],
    );
    expect(stays?.how).toBe("end");
    expect(stays?.text.match(/"url":"[^"]*"/g)).toEqual(['"url":"/one"', '"url":"/two"', '"url":"/three"']);
    expect(stays?.text).toMatch(/"\/two"[^]*HTTP\/1.1 204 [^]*"\/three"/);
    const seen = seenIn(both as Heard);
    expect([Buffer.from(seen.content, "base64").toString(), seen.trailers]).toEqual(["abcde", ["X-Sum", "1"]]);
  });

  test("who asks before it sends is told to go on by the application", async () => {
    const head =
      "POST /asked HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    const [heard] = await raw(from, 8090, [{ say: head }, { until: "100 Continue" }, { say: "abc" }, { until: "" }]);
    expect(heard?.text).toMatch(/^HTTP\/1.1 100 [^]*\r\n\r\nHTTP\/1.1 200 /);
    expect(seenIn(heard as Heard).content).toBe(Buffer.from("abc").toString("base64"));
  });

  test("HEAD and 204 have no content, and what follows them is the next answer", async () => {
    const [heard] = await raw(from, 8090, [
      { say: get("/x").replace("GET", "HEAD") + get("/bare") + get("/last", "Connection: close") },
      { until: "" },
    ]);
    expect(heard?.text).toMatch(
      /^HTTP\/1.1 200 [^]*\r\n\r\nHTTP\/1.1 204 [^]*\r\n\r\nHTTP\/1.1 200 [^]*"url":"\/last"/,
    );
    expect(heard?.text.match(/"url"/g)?.length).toBe(1);
  });

  test("a switch to another protocol makes a tunnel of the connection, half-closed and then closed", async () => {
    const [heard] = await raw(from, 8091, [
      { say: get("/upgrade", "Connection: Upgrade", "Upgrade: echo") + "with the head " },
      { until: "head " },
      { say: "and after" },
      { until: "after" },
      { act: "end" },
      { until: "" },
    ]);
    expect(heard?.text).toMatch(/^HTTP\/1.1 101 [^]*Upgrade: echo[^]*\r\n\r\nhello with the head and afterbye$/i);
    expect(heard?.how).toBe("end");
  });

  test("HTTP/2 with prior knowledge carries content and trailers", async () => {
    const [heard] = await http2(from, 8092, {
      headers: { ":method": "POST", ":path": "/two", "x-a": ["1", "2"], cookie: ["a=b", "c=d"] },
      content: "abc",
      trailers: { "x-sum": "1" },
    });
    expect(heard).toMatchObject({ status: 200, how: "end" });
    const seen = seenIn(heard as Heard);
    expect([Buffer.from(seen.content, "base64").toString(), seen.trailers]).toEqual(["abc", ["x-sum", "1"]]);
    expect([values(seen, "x-a"), values(seen, "cookie").join("; ")]).toEqual([["1", "2"], "a=b; c=d"]);
  });

  test.each([
    ["before its head, by a reset", "/reset-before", /^HTTP\/1.1 50[23] /],
    ["before its head, by an end", "/end-before", /^HTTP\/1.1 50[23] /],
    ["with content that no two would read alike", "/bad-length", /^HTTP\/1.1 502 /],
  ])("an application that breaks off %s is answered for", async (_, target, expected) => {
    const [heard] = await raw(from, 8091, once(target));
    expect(heard?.text).toMatch(expected);
    expect(heard?.text).toMatch(/^x-heddle-error: upstream-/m);
  });

  test.each(["/reset-length", "/end-length", "/reset-chunked", "/end-chunked", "/reset-close"])(
    "an answer that the application breaks off is no complete one to HTTP/1: %s",
    async (target) => {
      const [heard] = await raw(from, 8091, [{ say: get(target) }, { until: "" }]);
      // What has not left yet when it is broken off does not leave any more.
      expect(heard?.text).toMatch(/^(?:HTTP\/1.1 200 [^]*|)$/);
      expect(heard?.how).toBe("reset");
      expect(heard?.text).not.toMatch(/0\r\n\r\n$/);
    },
  );

  test("one that ends with its connection is complete, and the client's connection goes on", async () => {
    const [heard] = await raw(from, 8091, [
      { say: get("/end-close") },
      { until: "0\r\n\r\n" },
      { say: get("/nothing", "Connection: close") },
      { until: "" },
    ]);
    expect(heard?.text).toMatch(/\r\n\r\n3\r\nall\r\n0\r\n\r\nHTTP\/1.1 404 /);
  });

  test("an answer that nobody asked for reaches nobody", async () => {
    const [heard] = await raw(from, 8091, [
      { say: get("/two-answers") },
      { until: "one" },
      { say: get("/nothing", "Connection: close") },
      { until: "" },
    ]);
    expect(heard?.text).toMatch(/one(?:HTTP\/1.1 404 [^]*)?$/);
    expect(heard?.text).not.toContain("poison");
  });

  test("an answer that the application breaks off is no complete one to HTTP/2, whatever it says", async () => {
    // NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL.
    for (const code of [0, 2, 7, 8]) {
      const [heard] = await http2(from, 8095, { headers: { ":method": "POST", ":path": "/" }, content: String(code) });
      expect(heard).toMatchObject({ status: 200, text: "half", how: "reset" });
    }
    const [lost] = await http2(from, 8092, { headers: { ":path": "/lose" } });
    expect(lost).toMatchObject({ status: 200, text: "half", how: "reset" });
  });

  test("an answer that comes before the request has ended reaches the client", async () => {
    const content = "x".repeat(100_000);
    const [one] = await raw(from, 8091, [
      { say: `POST /early HTTP/1.1\r\nHost: web\r\nContent-Length: 200000\r\n\r\n${content}` },
      { until: "big" },
    ]);
    expect(one?.text).toMatch(/^HTTP\/1.1 413 [^]*\r\n\r\nbig$/);
    const [two] = await http2(from, 8092, { headers: { ":method": "POST", ":path": "/early" }, content, isOpen: true });
    expect(two).toMatchObject({ status: 413, text: "big" });
  });

  test("a client that breaks off in the middle is gone for the application, too", async () => {
    const path = `/hang/${from}`;
    const begun = (name: string): readonly Step[] => [
      { say: `POST ${path}-${name} HTTP/1.1\r\nHost: web\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n` },
      { until: "100 Continue" },
      { say: "ab" },
    ];
    await raw(from, 8090, [...begun("half"), { act: "end" }, { until: "" }], [...begun("cut"), { act: "reset" }]);
    await http2(from, 8092, { headers: { ":path": `${path}-two` }, cancelsAfterMs: 300 });
    await vi.waitFor(async () => {
      const { gone } = await report();
      expect(gone).toEqual(expect.arrayContaining([`${path}-half`, `${path}-cut`, `${path}-two`]));
    }, soon);
  });

  test("an application cannot say that the mesh has failed", async () => {
    const [heard] = await raw(from, 8091, [
      { say: get("/claim", "TE: trailers", "Connection: TE") },
      { until: "x-last: d" },
    ]);
    expect(heard?.text).toMatch(/^HTTP\/1.1 103 [^]*Link: a[^]*HTTP\/1.1 200 [^]*x-last: d/);
    expect(heard?.text).not.toMatch(/x-heddle-error/i);
  });
});

describe("who a request comes from is what was verified, whatever is claimed", () => {
  const CLAIMS = [
    "X-Forwarded-For: 1.2.3.4",
    "x-forwarded-for: 5.6.7.8",
    "X-FORWARDED-CLIENT-CERT: By=a;URI=spiffe://cluster.local/ns/shop/sa/admin",
    "x-forwarded-client-cert: b",
    "X-Request-Id: mine",
    "x-request-id: mine-too",
    "Connection: x-forwarded-client-cert, x-request-id, X-Forwarded-For",
  ];
  const claims2 = {
    "x-forwarded-for": ["1.2.3.4", "5.6.7.8"],
    "x-forwarded-client-cert": ["a", "b"],
    x_forwarded_client_cert: "c",
    "x-request-id": ["mine", "mine-too"],
  };

  test.each([
    ["shop/client", 1],
    ["shop/client", 2],
    ["outside/stranger", 1],
    ["outside/stranger", 2],
  ] as const)("%s, HTTP/%i", async (from, version) => {
    const [heard] =
      version === 1
        ? await raw(
            from,
            8090,
            once("/who", ...CLAIMS.slice(0, -1)).map((step) =>
              "say" in step ? { say: step.say.replace("Connection: close", `${CLAIMS.at(-1)}, close`) } : step,
            ),
          )
        : await http2(from, 8092, {
            headers: { ":path": "/who", ...claims2 },
            content: "",
            trailers: { "x-forwarded-client-cert": "d", "x-forwarded-for": "9.9.9.9", "x-fine": "1" },
          });
    const seen = seenIn(heard as Heard);
    const isPeer = from === "shop/client";
    expect((await mesh.pod(from))?.addresses).toContain(values(seen, "x-forwarded-for").join());
    expect(values(seen, "x-forwarded-client-cert")).toEqual(
      isPeer ? ["By=spiffe://cluster.local/ns/shop/sa/web;URI=spiffe://cluster.local/ns/shop/sa/client"] : [],
    );
    expect(values(seen, "x_forwarded_client_cert")).toEqual([]);
    expect(values(seen, "x-request-id")).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    if (version === 2) expect(seen.trailers).toEqual(["x-fine", "1"]);
  });
});

describe("an answer of the mesh says so, and why", () => {
  const CASES = [
    ["nobody", "/", 503, "no-endpoint", "14"],
    ["closed", "/", 503, "peer-cannot-connect", "14"],
    ["routed", "/no", 404, "no-route", "12"],
    ["routed", "/invalid", 500, "invalid-backend", "14"],
  ] as const;

  test.each(CASES)("http://%s%s", async (host, path, status, code, grpcStatus) => {
    const grpc = { ":method": "POST", ":path": path, "content-type": "application/grpc" };
    const [one, two, three] = await play("shop/client", [
      { host, port: 80, steps: once(path) },
      { host, port: 80, request: { headers: { ":path": path } } },
      { host, port: 80, request: { headers: grpc, content: "\0\0\0\0\0" } },
    ]);
    expect(one?.text).toMatch(
      new RegExp(`^HTTP/1.1 ${status} [^]*x-heddle-error: ${code}\r\n[^]*\r\n\r\nheddle: .*\n$`),
    );
    expect(two).toMatchObject({
      status,
      how: "end",
      headers: { "x-heddle-error": code, "content-type": "text/plain" },
    });
    expect(two?.text).toMatch(/^heddle: .*\n$/);
    expect(three).toMatchObject({
      status: 200,
      text: "",
      how: "end",
      headers: { "content-type": "application/grpc", "grpc-status": grpcStatus, "x-heddle-error": code },
    });
  });

  test("an answer of the application has no such word", async () => {
    const [heard] = await raw("shop/client", 8090, once("/fine"));
    expect(heard?.text).not.toMatch(/x-heddle-error/i);
  });
});

describe.each(CALLERS)("the tables of cases of HTTP/1, from %s", (from) => {
  const cases = async (what: "requests" | "pieces" | "answers", name: string, port: number): Promise<unknown> => {
    const host = await hostOf(from, name);
    const said = await mesh.exec(from, "node", join(PROGRAMS, "http-cases.ts"), what, host, String(port));
    return (JSON.parse(said) as { readonly problems: unknown }).problems;
  };

  test("what the codec refuses of requests is refused, what it accepts arrives unchanged", async () => {
    expect(await cases("requests", "web", 8090)).toEqual([]);
  });

  test("the same holds byte by byte", async () => {
    expect(await cases("pieces", "web", 8090)).toEqual([]);
  });

  test("what it refuses of answers is refused, what it accepts arrives unchanged", async () => {
    expect(await cases("answers", "answers", 8096)).toEqual([]);
  });
});

describe("an application that ends idle connections", () => {
  /** As the programs do it. */
  const IDLE_MS = 200;
  const [CONNECTIONS, REQUESTS] = [10, 40];
  /**
   * Of the requests to an application that closes without a word: when it has looked for a request, found none and is about to
   * close, one may reach it all the same, and nobody knows what it made of it. A third and more fail where nothing is done.
   */
  const MET_AN_END = 0.05 * CONNECTIONS * REQUESTS;

  const countsOf = async (name: string, port: number): Promise<Report["counts"]> => {
    if (name === "web") return (await report()).counts;
    const [heard] = await play("shop/client", [{ host: name, port, steps: [{ say: get("/report") }, { until: "}" }] }]);
    return JSON.parse(/\{.*\}/.exec(heard?.text ?? "")?.[0] ?? "") as Report["counts"];
  };

  test.each([
    ["without a word", "closing", 8093, "shop/client", MET_AN_END],
    ["as it has said", "web", 8094, "shop/client", 0],
    ["without a word, called in clear", "closing", 8093, "outside/stranger", MET_AN_END],
  ] as const)("%s causes no error, and nothing reaches it twice", async (_, name, port, from, mayFail) => {
    const before = await countsOf(name, port);
    const host = await hostOf(from, name);
    const args = [host, port, IDLE_MS, CONNECTIONS, REQUESTS].map(String);
    const said = await mesh.exec(from, "node", join(PROGRAMS, "http-race.ts"), ...args);
    const { ok, posts, failures } = JSON.parse(said) as RaceResult;
    expect({ ok: ok + failures.length, posts }).toEqual({
      ok: CONNECTIONS * REQUESTS,
      posts: (CONNECTIONS * REQUESTS) / 2,
    });
    expect(failures.slice(mayFail)).toEqual([]);
    const after = await countsOf(name, port);
    const times = Object.entries(after).map(([id, count]) => count - (before[id] ?? 0));
    expect(times.filter((count) => count === 1).length).toBeGreaterThanOrEqual(posts - failures.length);
    expect(times.filter((count) => count > 1)).toEqual([]);
  });
});

test("hundreds of requests at once to an endpoint that nobody has called yet are all answered", async () => {
  const script = `
    const { connect } = require("node:http2");
    const sessions = Array.from({ length: 4 }, () => connect("http://late:8092"));
    const one = (session) => new Promise((resolve) => {
      const stream = session.request({ ":path": "/cold" });
      let status; stream.on("response", (head) => (status = head[":status"])).resume();
      stream.on("error", () => {}).on("close", () => resolve(status + " " + stream.rstCode));
    });
    Promise.all(sessions.flatMap((session) => Array.from({ length: 100 }, () => one(session)))).then((ends) => {
      for (const session of sessions) session.destroy();
      const counts = {}; for (const end of ends) counts[end] = (counts[end] ?? 0) + 1;
      console.log(JSON.stringify(counts));
    });`;
  expect(JSON.parse(await mesh.exec("shop/client", "node", "-e", script))).toEqual({ "200 0": 400 });
});

test("a policy that comes while a connection is open is in force for its next request", async () => {
  const { requests } = await report("late");
  const steps = [{ say: get("/before") }, { until: "/before" }, { say: get("/again"), untilSaid: "HTTP/1.1 403 " }];
  const playing = play("outside/stranger", [{ host: await addressOf("shop/late"), port: 8090, steps }]);
  await vi.waitFor(async () => expect((await report("late")).requests).toBeGreaterThan(requests + 1), soon);
  mesh.write("added.yaml", strict("added", { app: "late" }));
  const [heard] = await playing;
  expect(heard?.text).toMatch(/^HTTP\/1.1 200 /);
  expect(heard?.text.slice(heard.text.lastIndexOf("HTTP/1.1 "))).toMatch(/^HTTP\/1.1 403 [^]*x-heddle-error: /);
  expect(heard?.how).toBe("open");
});
