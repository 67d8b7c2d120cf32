import { afterAll, beforeAll, expect, test } from "vitest";
import { TestMesh } from "./test-mesh.ts";
import { call, greeter, namespace, service, sleeper } from "./yaml.ts";

const onNode = (node: number, app: string) => ({
  labels: { app },
  annotations: { "local.heddle.dev/node": String(node) },
});

const port = [{ port: 80, targetPort: 8080 }];

const mesh = new TestMesh({
  "namespaces.yaml": namespace("shop") + namespace("bank"),
  "pods.yaml": [
    sleeper("shop/client", onNode(1, "client")),
    greeter("shop/near", onNode(1, "near")),
    greeter("shop/far", onNode(2, "far")),
    greeter("shop/host", { ...onNode(2, "host"), spec: { hostNetwork: true } }),
  ].join(""),
  "services.yaml": [
    service("shop/near", { selector: { app: "near" }, ports: port }),
    service("shop/far", { selector: { app: "far" }, ports: port }),
    service("shop/own", { selector: { app: "client" }, ports: [{ port: 80, targetPort: 7000 }] }),
    service("shop/nobody", { selector: { app: "nobody" }, ports: port }),
    service("shop/headless", { selector: { app: "far" }, clusterIP: "None", ports: port }),
    service("bank/ledger", { selector: { app: "ledger" }, ports: port }),
  ].join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const addressOf = async (name: string, family: 0 | 1): Promise<string> =>
  (await mesh.pod(name))?.addresses[family] ?? "";

test.each([
  ["on the same node", "shop/near"],
  ["on another node", "shop/far"],
])("a pod reaches a pod %s over IPv4 and IPv6, and is seen with its own address", async (_, target) => {
  const name = target.split("/")[1];
  const [ipv4, ipv6] = [await addressOf("shop/client", 0), await addressOf("shop/client", 1)];
  expect(await mesh.exec("shop/client", ...call(await addressOf(target, 0), 8080))).toBe(
    `${name} greets ::ffff:${ipv4}`,
  );
  expect(await mesh.exec("shop/client", ...call(await addressOf(target, 1), 8080))).toBe(`${name} greets ${ipv6}`);
});

test.each([
  ["near", "near"],
  ["far.shop", "far"],
  ["far.shop.svc", "far"],
  ["far.shop.svc.cluster.local", "far"],
])("a service is reached by the name %s", async (host, greeter) => {
  expect(await mesh.exec("shop/client", ...call(host, 80))).toContain(`${greeter} greets `);
});

test("the names of a service stand for its addresses, a headless service for its endpoints", async () => {
  const hosts = await mesh.exec("shop/client", "cat", "/etc/hosts");
  expect(hosts).toMatch(/^10\.96\.\S+ near\.shop\.svc\.cluster\.local near\.shop\.svc near\.shop near$/m);
  expect(hosts).toMatch(new RegExp(`^${await addressOf("shop/far", 0)} headless\\.shop\\.svc`, "m"));
  expect(hosts).toMatch(/^10\.96\.\S+ ledger\.bank\.svc\.cluster\.local ledger\.bank\.svc ledger\.bank$/m);
});

test("a name that nobody has fails at once", async () => {
  const startedAt = Date.now();
  expect(await mesh.exec("shop/client", ...call("unknown.example", 80))).toMatch(/EAI_AGAIN|ENOTFOUND/);
  expect(Date.now() - startedAt).toBeLessThan(2_000);
});

test("a service without endpoints is refused at once", async () => {
  expect(await mesh.exec("shop/client", ...call("nobody", 80))).toContain("ECONNREFUSED");
});

test("a port that a service does not have is refused at once", async () => {
  expect(await mesh.exec("shop/client", ...call("near", 81))).toContain("ECONNREFUSED");
});

test("a pod reaches itself by way of a service", async () => {
  const serveAndCall = `
    const { createServer, connect } = require("net");
    const server = createServer((socket) => socket.end("myself")).listen(7000, () => {
      connect(80, "own").on("error", (error) => console.log(error.code)).on("close", () => server.close()).pipe(process.stdout);
    });`;
  expect(await mesh.exec("shop/client", "node", "-e", serveAndCall)).toBe("myself");
});

test("a pod on the host's network has its node's address", async () => {
  expect(await addressOf("shop/host", 0)).toBe("10.95.0.12");
  expect(await mesh.exec("shop/client", ...call("10.95.0.12", 8080))).toContain("host greets ");
});

test("what is changed in the services changes the names and addresses of pods that run", async () => {
  mesh.write("late.yaml", service("shop/late", { selector: { app: "far" }, ports: port }));
  await expect.poll(() => mesh.exec("shop/client", ...call("late", 80)), { timeout: 5_000 }).toContain("far greets ");
  mesh.write("late.yaml", service("shop/late", { selector: { app: "near" }, ports: port }));
  await expect.poll(() => mesh.exec("shop/client", ...call("late", 80)), { timeout: 5_000 }).toContain("near greets ");
  mesh.remove("late.yaml");
  await expect.poll(() => mesh.exec("shop/client", "cat", "/etc/hosts"), { timeout: 5_000 }).not.toContain("late");
});

test("addresses leave no time for the detection of duplicates", async () => {
  expect(await mesh.exec("shop/client", "ip", "-6", "-o", "addr", "show", "tentative")).toBe("");
});
