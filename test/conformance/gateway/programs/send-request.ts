import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Agent, type IncomingMessage, request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { decodeMessage, ECHO_METHOD, encodeMessage } from "./echo-message.ts";
import type { Answer, Request } from "./request.ts";

/** No test waits for so long: a request without an answer is told as one. */
const TIMEOUT_MS = 30_000;

/** What requests of one batch share: connections that are kept, one of HTTP/2 and one of gRPC for each host. */
export interface Agents {
  readonly kept: Agent;
  readonly sessions: Map<string, ClientHttp2Session>;
  readonly clients: Map<string, Client>;
  close(): void;
}

export const agents = (): Agents => {
  const kept = new Agent({ keepAlive: true });
  const sessions = new Map<string, ClientHttp2Session>();
  const clients = new Map<string, Client>();
  const close = (): void => {
    kept.destroy();
    for (const session of sessions.values()) session.close();
    for (const client of clients.values()) client.close();
  };
  return { kept, sessions, clients, close };
};

/** Sends a request, and reads its answer to the end. Redirects are not followed. */
export const send = (request: Request, own: Agents): Promise<Answer> => {
  const url = new URL(request.url);
  if (url.protocol === "grpc:") return call(request, url, own);
  if (url.protocol === "h2c:") return sendHttp2(request, url, own);
  return sendHttp1(request, url, own);
};

const failed = (error: Error & { readonly code?: unknown }): Answer => ({
  headers: {},
  trailers: {},
  body: "",
  error: typeof error.code === "string" ? error.code : error.message,
});

/** Names in lower case. @param raw names and values in turns */
const grouped = (raw: readonly string[]): Readonly<Record<string, readonly string[]>> => {
  const values: Record<string, string[]> = {};
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    (values[name] ??= []).push(raw[index + 1] ?? "");
  }
  return values;
};

const sendHttp1 = (request: Request, url: URL, own: Agents): Promise<Answer> =>
  new Promise((resolve) => {
    const asked = httpRequest({
      host: url.hostname,
      port: url.port,
      // As it was written: URL would take dot segments away.
      path: targetOf(request.url),
      method: request.method ?? "GET",
      headers: request.headers ?? {},
      agent: request.isKept ? own.kept : false,
      timeout: TIMEOUT_MS,
    });
    asked.on("timeout", () => asked.destroy(new Error("timeout")));
    asked.on("error", (error) => resolve(failed(error)));
    asked.on("response", (response: IncomingMessage) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", (error) => resolve(failed(error)));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: grouped(response.rawHeaders),
          trailers: grouped(response.rawTrailers),
          body: Buffer.concat(parts).toString(),
        }),
      );
    });
    asked.end(request.body);
  });

const targetOf = (url: string): string => url.replace(/^[a-z0-9]+:\/\/[^/?]*/, "") || "/";

const sendHttp2 = (request: Request, url: URL, own: Agents): Promise<Answer> =>
  new Promise((resolve) => {
    const session = own.sessions.get(url.host) ?? connectHttp2(`http://${url.host}`);
    if (!own.sessions.has(url.host)) {
      own.sessions.set(url.host, session);
      session.on("error", () => undefined);
    }
    const { host, ...headers } = request.headers ?? {};
    const stream = session.request(
      {
        ...headers,
        ":method": request.method ?? "GET",
        ":path": targetOf(request.url),
        ":authority": String(host ?? url.host),
      },
      { endStream: request.body === undefined },
    );
    const parts: Buffer[] = [];
    let [head, trailers]: [IncomingHttpHeaders, IncomingHttpHeaders] = [{}, {}];
    stream.setTimeout(TIMEOUT_MS, () => stream.destroy(new Error("timeout")));
    stream.on("response", (fields) => (head = fields));
    stream.on("trailers", (fields) => (trailers = fields));
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", (error) => resolve(failed(error)));
    stream.on("close", () => {
      const { ":status": status = 0, ...fields } = head;
      resolve({
        status: Number(status),
        headers: inLists(fields),
        trailers: inLists(trailers),
        body: Buffer.concat(parts).toString(),
        ...(stream.rstCode === 0 ? {} : { error: `reset ${stream.rstCode}` }),
      });
    });
    if (request.body !== undefined) stream.end(request.body);
  });

const inLists = (fields: IncomingHttpHeaders): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, Array.isArray(value) ? value : [String(value)]]),
  );

/** All calls of a batch to one host go over one connection. */
const call = (request: Request, url: URL, own: Agents): Promise<Answer> =>
  new Promise((resolve) => {
    const client = own.clients.get(url.host) ?? new Client(url.host, credentials.createInsecure());
    own.clients.set(url.host, client);
    const { host, ...headers } = request.headers ?? {};
    const metadata = new Metadata();
    for (const [name, values] of Object.entries(headers)) {
      for (const value of [values].flat()) metadata.add(name, value);
    }
    const options = { deadline: Date.now() + TIMEOUT_MS, ...(host === undefined ? {} : { host: String(host) }) };
    let [head, body, trailers, end]: [Metadata, string, Metadata, ServiceError | null] = [
      new Metadata(),
      "",
      new Metadata(),
      null,
    ];
    const path = url.pathname.length > 1 ? url.pathname : ECHO_METHOD;
    const done = client.makeUnaryRequest(
      path,
      encodeMessage,
      decodeMessage,
      { message: request.body ?? "" },
      metadata,
      options,
      (error, answer) => {
        end = error;
        body = answer?.message ?? "";
      },
    );
    done.on("metadata", (fields) => (head = fields));
    done.on("status", (status) => {
      trailers = status.metadata;
      resolve({
        code: end?.code ?? status.code,
        details: status.details,
        headers: ofMetadata(head),
        trailers: ofMetadata(trailers),
        body,
      });
    });
  });

const ofMetadata = (metadata: Metadata): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(Object.keys(metadata.getMap()).map((name) => [name, metadata.get(name).map(String)]));
