import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { exportPrivateKey } from "#certs/x509/key-pair.ts";
import { formatCertificates, formatPem } from "#certs/x509/pem.ts";
import type { BackendTls, SubjectAltName } from "#mesh/routes/backend-policy.ts";
import { EndpointTlsError, secureEndpoint, tlsKey } from "./endpoint-tls.ts";
import { upstreamFailure } from "./failure.ts";

const authority = testAuthority();
const HOST = "pay.example.org";
const NEVER = new AbortController().signal;

/** A server outside the mesh that shows a certificate and tells what SNI it heard. */
const server = async (dnsNames: readonly string[], at?: number, ALPNProtocols = ["h2", "http/1.1"]) => {
  const credentials = authority.credentials("shop/pay", { dnsNames, ...(at !== undefined && { at }) });
  const heard: (string | false | null)[] = [];
  const listening = createTlsServer({
    key: formatPem("PRIVATE KEY", exportPrivateKey(credentials.key)),
    cert: formatCertificates(credentials.chain),
    ALPNProtocols,
  });
  listening.on("secureConnection", (socket: TLSSocket) => {
    heard.push(socket.servername);
    socket.on("error", () => undefined).end("hello");
  });
  listening.on("tlsClientError", () => undefined);
  return { connected: await listen(listening), heard };
};

const listen = async (listening: ReturnType<typeof createServer>): Promise<Socket> => {
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  const socket = connect((listening.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
    listening.close();
  });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
};

const verified = (changes: Partial<Extract<BackendTls, { kind: "verified" }>> = {}): BackendTls => ({
  kind: "verified",
  hostname: HOST,
  subjectAltNames: [],
  roots: [authority.root.certificate],
  ...changes,
});
const name = (kind: SubjectAltName["kind"], value: string): SubjectAltName => ({ kind, value });

/** What the server said, or why it was not listened to. */
const outcome = async (socket: Socket, tls: BackendTls, protocol: "h2" | "http/1.1" = "http/1.1"): Promise<string> => {
  try {
    const secure = await secureEndpoint(socket, tls, protocol, NEVER);
    const chunks: Buffer[] = [];
    secure.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(secure, "end");
    return `${String(secure.alpnProtocol)} ${Buffer.concat(chunks).toString()}`;
  } catch (error) {
    expect(socket.destroyed).toBe(true);
    expect(error).toBeInstanceOf(EndpointTlsError);
    return (error as Error).message;
  }
};

test("an endpoint that proves to be the host of the policy is heard, and was told the host's name", async () => {
  const { connected, heard } = await server([HOST]);
  expect(await outcome(connected, verified())).toBe("http/1.1 hello");
  expect(heard).toEqual([HOST]);
});

test.each<[string, readonly string[], Partial<Extract<BackendTls, { kind: "verified" }>>]>([
  ["a wildcard for it", ["*.example.org"], {}],
  ["the name in other letters", ["PAY.example.org"], {}],
  ["the SPIFFE ID that is wanted", [], { subjectAltNames: [name("uri", authority.id("shop/pay"))] }],
  ["one of several that are wanted", [HOST], { subjectAltNames: [name("uri", "x:y"), name("hostname", HOST)] }],
  [
    "a name under the wildcard that is wanted",
    ["a.example.net"],
    { subjectAltNames: [name("hostname", "*.example.net")] },
  ],
])("a certificate with %s is accepted", async (_, dnsNames, changes) => {
  const { connected } = await server(dnsNames);
  expect(await outcome(connected, verified(changes))).toBe("http/1.1 hello");
});

test.each<[string, readonly string[], Partial<Extract<BackendTls, { kind: "verified" }>>, RegExp]>([
  ["another name", ["other.example.org"], {}, /is for "other\.example\.org".*, not for pay\.example\.org/],
  ["no DNS name", [], {}, /not for pay\.example\.org/],
  ["a wildcard for deeper names", ["*.pay.example.org"], {}, /not for/],
  ["a wildcard for everything", ["*.org"], { hostname: "example.org" }, /not for/],
  [
    "the host's name, where another is wanted",
    [HOST],
    { subjectAltNames: [name("hostname", "b.example.org")] },
    /not for b\.example\.org/,
  ],
  [
    "another SPIFFE ID",
    [HOST],
    { subjectAltNames: [name("uri", "spiffe://cluster.local/ns/shop/sa/other")] },
    /not for spiffe/,
  ],
  ["a signature of somebody else", [HOST], { roots: [testAuthority().root.certificate] }, /certificate/],
])("a certificate with %s is refused before anything is sent", async (_, dnsNames, changes, reason) => {
  const { connected, heard } = await server(dnsNames);
  expect(await outcome(connected, verified(changes))).toMatch(reason);
  expect(heard.length).toBeLessThan(2);
});

test("a certificate that has expired is refused", async () => {
  const { connected } = await server([HOST], Date.now() - 40 * 86_400_000);
  expect(await outcome(connected, verified())).toMatch(/expired/);
});

test("who is to speak HTTP/2 must say so", async () => {
  const able = await server([HOST]);
  expect(await outcome(able.connected, verified(), "h2")).toBe("h2 hello");
  const unable = await server([HOST], undefined, []);
  expect(await outcome(unable.connected, verified(), "h2")).toMatch(/does not speak HTTP\/2/);
});

test("an endpoint that speaks no TLS is not spoken to", async () => {
  const received: Buffer[] = [];
  const plain = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
  });
  expect(await outcome(await listen(plain), verified())).toMatch(/TLS with pay\.example\.org failed/);
  expect(Buffer.concat(received).toString("latin1")).not.toMatch(/HTTP\/1\.1/);
});

test("a policy that cannot be applied closes the connection and says why", async () => {
  const { connected, heard } = await server([HOST]);
  expect(await outcome(connected, { kind: "unusable", reason: "ConfigMap shop/ca is not there" })).toMatch(/shop\/ca/);
  expect(heard).toEqual([]);
});

test("an endpoint that says nothing is left when whoever asked is gone", async () => {
  const gone = new AbortController();
  const connected = await listen(createServer((socket) => void socket.on("error", () => undefined)));
  const waiting = secureEndpoint(connected, verified(), "h2", gone.signal);
  gone.abort();
  await expect(waiting).rejects.toThrow(/is gone/);
  expect(connected.destroyed).toBe(true);
});

test("connections under one policy are of a kind, and those under another are not", () => {
  const tls = verified();
  expect(tlsKey(tls)).toBe(tlsKey(tls));
  expect(tlsKey(tls)).not.toBe(tlsKey(verified()));
});

test("telemetry calls it a failure of TLS, after which another endpoint may be tried", () => {
  expect(upstreamFailure(new EndpointTlsError("x"))).toMatchObject({ flag: "TLS_FAILURE", retry: "elsewhere" });
});
