import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type TestAuthority, testAuthority } from "#certs/testing/test-authority.ts";
import { exportPrivateKey } from "#certs/x509/key-pair.ts";
import { formatCertificates, formatPem } from "#certs/x509/pem.ts";
import { AMBIENT, namespace, pod, service, sleeper } from "../local/yaml.ts";
import { TalkingPods } from "./talking-pods.ts";

const HOST = "pay.example.org";
const authority = testAuthority("example.org");

/** A pod outside the mesh that takes nothing but TLS, and says of each request how it came. */
const SERVER = `
const { CERT: cert, KEY: key } = process.env;
const tell = (request, response) => {
  const { encrypted, servername } = request.socket;
  response.end(JSON.stringify({ encrypted, servername, version: request.httpVersion, host: request.headers.host }));
};
require("http2").createSecureServer({ cert, key, allowHTTP1: true }, tell).listen(8443);`;

const server = (): string => {
  const { key, chain } = authority.credentials("outside/pay", { dnsNames: [HOST] });
  const env = [
    { name: "CERT", value: formatCertificates(chain) },
    { name: "KEY", value: formatPem("PRIVATE KEY", exportPrivateKey(key)) },
  ];
  return pod("outside/pay", ["node", "-e", SERVER], { labels: { app: "pay" }, container: { env } });
};

const document = (object: object): string => `---\n${JSON.stringify(object)}\n`;
const metadata = (name: string) => ({ namespace: "outside", name });

const policy = document({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "BackendTLSPolicy",
  metadata: metadata("pay"),
  spec: {
    targetRefs: [{ group: "", kind: "Service", name: "pay" }],
    validation: { caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "ca" }], hostname: HOST },
  },
});

const trusting = ({ root }: TestAuthority): string =>
  document({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadata("ca"),
    data: { "ca.crt": formatCertificates([root.certificate]) },
  });

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": sleeper("shop/client") + server(),
  "pay.yaml": service("outside/pay", {
    selector: { app: "pay" },
    ports: [{ port: 80, targetPort: 8443, appProtocol: "http" }],
  }),
  "policy.yaml": policy,
  "ca.yaml": trusting(authority),
});

interface Answer {
  readonly status: number;
  readonly error: string | null;
  readonly body: string;
}

const ask = async (): Promise<Answer> => {
  const script = `fetch("http://pay.outside/").then(async (response) => console.log(JSON.stringify({
    status: response.status, error: response.headers.get("x-heddle-error"), body: await response.text() })))`;
  return JSON.parse(await mesh.exec("shop/client", "node", "-e", script)) as Answer;
};

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

test("a request in clear reaches an endpoint outside the mesh over TLS, under the name of the policy", async () => {
  const { status, body } = await ask();
  expect([status, JSON.parse(body)]).toEqual([
    200,
    { encrypted: true, servername: HOST, version: "1.1", host: "pay.outside" },
  ]);
  await vi.waitFor(() => {
    const line = [1, 2].flatMap((node) => mesh.accessLog(node)).find((each) => each["dst.tls"] === HOST);
    expect(line).toMatchObject({ response_code: 200 });
    expect(line).not.toHaveProperty("plaintext_reason");
  }, 30_000);
}, 60_000);

test("an endpoint that another authority vouches for gets nothing, and the client is told; it is trusted again when it may be", async () => {
  mesh.write("ca.yaml", trusting(testAuthority("example.org")));
  await vi.waitFor(async () => {
    expect(await ask()).toMatchObject({
      status: 503,
      error: "endpoint-tls-failed",
      body: expect.stringContaining(HOST),
    });
  }, 60_000);
  mesh.write("ca.yaml", trusting(authority));
  await vi.waitFor(async () => expect((await ask()).status).toBe(200), 60_000);
}, 150_000);

test("without the certificates that the policy names nothing goes out, least of all in clear", async () => {
  mesh.remove("ca.yaml");
  await vi.waitFor(async () => {
    expect(await ask()).toMatchObject({
      status: 503,
      error: "endpoint-tls-failed",
      body: expect.stringContaining("ConfigMap outside/ca is not there"),
    });
  }, 60_000);
}, 90_000);
