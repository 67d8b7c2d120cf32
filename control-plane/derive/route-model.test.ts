import { expect, test } from "vitest";
import type { RouteCondition } from "#mesh/admin/control-plane-status.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { configDump } from "../serve/config-dump.ts";
import { type Fields, objectMap, referenceGrantYaml, routeYaml, serviceYaml } from "../testing/objects.ts";
import type { MeshContext } from "./mesh-context.ts";
import { MeshModel } from "./mesh-model.ts";

const CONTEXT: MeshContext = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "root",
};

const modelOf = (objects: readonly Fields[], more: Partial<MeshContext> = {}): MeshModel => {
  const model = new MeshModel({ ...CONTEXT, ...more });
  model.apply(objectMap(...objects));
  return model;
};

const SPEC = {
  clusterIP: "10.96.0.1",
  ports: [
    { name: "http", port: 80 },
    { name: "grpc", port: 7070 },
  ],
};
const echo = serviceYaml("shop/echo", SPEC);
const parent = (more: Fields = {}): Fields => ({ group: "", kind: "Service", name: "echo", ...more });
const backend = (more: Fields = {}): Fields => ({ name: "echo", port: 80, ...more });

const http = (name: string, spec: Fields = {}, metadata: Fields = {}): Fields =>
  routeYaml("HTTPRoute", name, { parentRefs: [parent()], rules: [{ backendRefs: [backend()] }], ...spec }, metadata);
const grpc = (name: string, spec: Fields = {}): Fields =>
  routeYaml("GRPCRoute", name, {
    parentRefs: [parent({ port: 7070 })],
    rules: [{ backendRefs: [backend()] }],
    ...spec,
  });

/** `Accepted=True/Accepted` and so on, of the first parent. */
const conditionsOf = (model: MeshModel, key = "HTTPRoute shop/web"): readonly string[] =>
  (model.routes.statuses().get(key)?.[0]?.conditions ?? []).map(
    ({ type, status, reason }) => `${type}=${status}/${reason}`,
  );

const condition = (model: MeshModel, type: string, key = "HTTPRoute shop/web"): RouteCondition | undefined =>
  model.routes
    .statuses()
    .get(key)?.[0]
    ?.conditions.find((each) => each.type === type);

/** Which routes hold on which port: `80 producer http shop/web`. */
const appliedTo = (model: MeshModel, service = "shop/echo.shop.svc.cluster.local"): readonly string[] =>
  (model.routes.routes().get(service as never) ?? []).flatMap(({ port, producer, consumers }) =>
    [["producer", producer] as const, ...consumers].flatMap(([group, set]) =>
      set
        ? [`${port} ${group} ${set.kind} ${set.routes.map(({ namespace, name }) => `${namespace}/${name}`).join()}`]
        : [],
    ),
  );

test.each<[string, Fields, readonly string[]]>([
  ["no port: all of them", {}, ["80 producer http shop/web", "7070 producer http shop/web"]],
  ["a port", { port: 80 }, ["80 producer http shop/web"]],
  ["a port's name", { sectionName: "grpc" }, ["7070 producer http shop/web"]],
  ["both, and they agree", { sectionName: "http", port: 80 }, ["80 producer http shop/web"]],
  ["both, and they do not agree", { sectionName: "grpc", port: 80 }, []],
  ["a port that is not there", { port: 81 }, []],
  ["group core", { group: "core" }, ["80 producer http shop/web", "7070 producer http shop/web"]],
  ["a Gateway", { group: "gateway.networking.k8s.io", kind: "Gateway" }, []],
])("where a route applies (section 2): %s", (_, more, expected) => {
  expect(appliedTo(modelOf([echo, http("shop/web", { parentRefs: [parent(more)] })]))).toEqual(expected);
});

test("routes of the Service's namespace are producers, of others consumers", () => {
  const other = http("client/web", { parentRefs: [parent({ namespace: "shop", port: 80 })] });
  const own = http("shop/web", { parentRefs: [parent({ port: 80 })] });
  const model = modelOf([echo, own, other]);
  expect(appliedTo(model)).toEqual(["80 producer http shop/web", "80 client http client/web"]);
  expect(conditionsOf(model, "HTTPRoute client/web")[0]).toBe("Accepted=True/Accepted");
});

test("an entry for each Service as parent, equal to the reference; parents of other kinds are not ours", () => {
  const parentRefs = [
    { name: "gateway" },
    parent({ group: "core", port: 80 }),
    parent({ namespace: "shop", sectionName: "grpc" }),
  ];
  const model = modelOf([echo, http("shop/web", { parentRefs }, { generation: 7 })]);
  const statuses = model.routes.statuses().get("HTTPRoute shop/web") ?? [];
  expect(JSON.parse(JSON.stringify(statuses.map(({ parentRef }) => parentRef)))).toEqual(parentRefs.slice(1));
  for (const { controllerName, conditions } of statuses) {
    expect(controllerName).toBe("heddle.dev/mesh-controller");
    expect(conditions.map(({ observedGeneration }) => observedGeneration)).toEqual([7, 7]);
  }
});

const bad = { matches: [{ path: { type: "Glob", value: "/a" } }], backendRefs: [backend()] };
const compress = { filters: [{ type: "Compress" }], backendRefs: [backend()] };
const good = { backendRefs: [backend()] };
const extension = { filters: [{ type: "ExtensionRef", extensionRef: { group: "x.y", kind: "Z", name: "z" } }] };
const auth = { filters: [{ type: "ExternalAuth", externalAuth: {} }], backendRefs: [backend()] };
const ACCEPTED = "Accepted=True/Accepted";
const RESOLVED = "ResolvedRefs=True/ResolvedRefs";

test.each<[string, Fields, readonly string[]]>([
  ["in order", {}, [ACCEPTED, RESOLVED]],
  ["no such Service", { parentRefs: [parent({ name: "none" })] }, ["Accepted=False/NoMatchingParent", RESOLVED]],
  ["no such port", { parentRefs: [parent({ port: 81 })] }, ["Accepted=False/NoMatchingParent", RESOLVED]],
  ["nothing is supported", { rules: [bad, compress] }, ["Accepted=False/UnsupportedValue", RESOLVED]],
  ["a rule is not", { rules: [bad, good] }, [ACCEPTED, RESOLVED, "PartiallyInvalid=True/UnsupportedValue"]],
  ["a filter is not", { rules: [compress, good] }, [ACCEPTED, RESOLVED, "PartiallyInvalid=True/UnsupportedValue"]],
  ["a filter that leads nowhere", { rules: [extension] }, [ACCEPTED, "ResolvedRefs=False/InvalidKind"]],
  ["ExternalAuth", { rules: [auth] }, [ACCEPTED, "ResolvedRefs=False/InvalidKind"]],
  [
    "no such backend",
    { rules: [{ backendRefs: [backend({ name: "none" })] }] },
    [ACCEPTED, "ResolvedRefs=False/BackendNotFound"],
  ],
  [
    "no such port of a backend",
    { rules: [{ backendRefs: [backend({ port: 81 })] }] },
    [ACCEPTED, "ResolvedRefs=False/BackendNotFound"],
  ],
  [
    "a backend of another kind",
    { rules: [{ backendRefs: [backend({ group: "x.y", kind: "Z" })] }] },
    [ACCEPTED, "ResolvedRefs=False/InvalidKind"],
  ],
  [
    "a backend of another namespace",
    { rules: [{ backendRefs: [backend({ namespace: "other" })] }] },
    [ACCEPTED, RESOLVED],
  ],
  [
    "a backend that speaks TLS",
    { rules: [{ backendRefs: [backend({ name: "tls" })] }] },
    [ACCEPTED, "ResolvedRefs=False/UnsupportedProtocol"],
  ],
  [
    "an ExternalName as backend",
    { rules: [{ backendRefs: [backend({ name: "alias" })] }] },
    [ACCEPTED, "ResolvedRefs=False/InvalidKind"],
  ],
  [
    "an ExternalName as parent",
    { parentRefs: [parent({ name: "alias" })] },
    ["Accepted=False/NoMatchingParent", RESOLVED],
  ],
  [
    "a headless Service as parent",
    { parentRefs: [parent({ name: "headless" })] },
    ["Accepted=False/NoMatchingParent", RESOLVED],
  ],
  [
    "a mirror that leads nowhere",
    {
      rules: [
        { ...good, filters: [{ type: "RequestMirror", requestMirror: { backendRef: backend({ name: "none" }) } }] },
      ],
    },
    [ACCEPTED, "ResolvedRefs=False/BackendNotFound"],
  ],
])("conditions (section 8): %s", (_, spec, expected) => {
  const others = [
    serviceYaml("other/echo", SPEC),
    serviceYaml("shop/tls", { clusterIP: "10.96.0.2", ports: [{ port: 80, appProtocol: "kubernetes.io/wss" }] }),
    serviceYaml("shop/alias", { type: "ExternalName", ports: [{ port: 80 }] }),
    serviceYaml("shop/headless", { clusterIP: "None", ports: [{ port: 80 }] }),
  ];
  expect(conditionsOf(modelOf([echo, ...others, http("shop/web", spec)]))).toEqual(expected);
});

test("a route that is not accepted does not keep its Service from being served as without it", () => {
  expect(appliedTo(modelOf([echo, http("shop/web", { rules: [bad, compress] })]))).toEqual([]);
});

test("a dropped rule is named first, and is not there; a rule whose filter is not supported stays, to answer 500", () => {
  const model = modelOf([echo, http("shop/web", { parentRefs: [parent({ port: 80 })], rules: [bad, compress, good] })]);
  expect(condition(model, "PartiallyInvalid")?.message).toMatch(
    /^Dropped Rules: spec\.rules\[0\].*spec\.rules\[1\].*500/,
  );
  const [port] = model.routes.routes().get("shop/echo.shop.svc.cluster.local") ?? [];
  expect(port?.producer?.routes[0]?.rules).toMatchObject([
    { index: 1, filters: [{ kind: "unavailable" }] },
    { index: 2, filters: [] },
  ]);
});

test("a backend that leads nowhere keeps its weight", () => {
  const rules = [{ backendRefs: [backend({ weight: 3 }), backend({ name: "none", weight: 2 })] }];
  const [port] =
    modelOf([echo, http("shop/web", { rules })])
      .routes.routes()
      .get("shop/echo.shop.svc.cluster.local") ?? [];
  expect(port?.producer?.routes[0]?.rules[0]?.backends).toEqual([
    { weight: 3, filters: [], target: { kind: "service", service: "shop/echo.shop.svc.cluster.local", port: 80 } },
    { weight: 2, filters: [], target: { kind: "invalid", reason: "Service shop/none is not there" } },
  ]);
});

test("of routes of two kinds at a port the GRPCRoutes stay, within their group and at their port only", () => {
  const model = modelOf([
    echo,
    http("shop/web"),
    http("shop/lost", { parentRefs: [parent({ port: 7070 })] }),
    grpc("shop/calls"),
    http("client/web", { parentRefs: [parent({ namespace: "shop", port: 7070 })] }),
  ]);
  expect(appliedTo(model)).toEqual([
    "80 producer http shop/web",
    "7070 producer grpc shop/calls",
    "7070 client http client/web",
  ]);
  expect(conditionsOf(model, "HTTPRoute shop/lost")[0]).toBe("Accepted=False/Conflicted");
  expect(condition(model, "Accepted")).toMatchObject({ status: "True", message: expect.stringContaining("port 7070") });
  expect(conditionsOf(model, "GRPCRoute shop/calls")[0]).toBe(ACCEPTED);
});

test.each<[string, readonly Fields[], string]>([
  ["none", [], "RefNotPermitted"],
  ["of the namespace, for the kind", [referenceGrantYaml("other/g", "shop", "HTTPRoute")], "ResolvedRefs"],
  ["for this Service", [referenceGrantYaml("other/g", "shop", "HTTPRoute", "echo")], "ResolvedRefs"],
  ["for another Service", [referenceGrantYaml("other/g", "shop", "HTTPRoute", "web")], "RefNotPermitted"],
  ["for another kind of route", [referenceGrantYaml("other/g", "shop", "GRPCRoute")], "RefNotPermitted"],
  ["for another namespace", [referenceGrantYaml("other/g", "client", "HTTPRoute")], "RefNotPermitted"],
  ["that stands in the route's namespace", [referenceGrantYaml("shop/g", "shop", "HTTPRoute")], "RefNotPermitted"],
])("where grants are required, a grant: %s", (_, grants, reason) => {
  const rules = [{ backendRefs: [backend({ namespace: "other" }), backend()] }];
  const objects = [echo, serviceYaml("other/echo", SPEC), http("shop/web", { rules }), ...grants];
  expect(condition(modelOf(objects, { areReferenceGrantsRequired: true }), "ResolvedRefs")?.reason).toBe(reason);
  expect(condition(modelOf(objects), "ResolvedRefs")?.reason).toBe("ResolvedRefs");
});

test("the admin API shows the parents of routes in force, and says in words what is wrong", () => {
  const model = modelOf([
    echo,
    http("shop/web", { hostnames: ["a.b"], rules: [{ backendRefs: [backend({ port: 81 })] }] }),
  ]);
  const object = { kind: "HTTPRoute", namespace: "shop", name: "web", source: "web.yaml", problems: [], warnings: [] };
  const [served, refused] = configDump(
    model,
    [
      { ...object, accepted: true, serving: true },
      { ...object, accepted: false, serving: false },
    ],
    [],
  ).objects;
  expect(served?.parents).toEqual(model.routes.statuses().get("HTTPRoute shop/web"));
  expect(served?.warnings).toEqual([
    expect.stringContaining("hostnames have no meaning"),
    "ResolvedRefs=False (BackendNotFound) at Service shop/echo: Service shop/echo has no TCP port 81",
  ]);
  expect(refused?.parents).toBeUndefined();
});
