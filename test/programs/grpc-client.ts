/**
 * A client of interop-server.ts in a pod, of @grpc/grpc-js; all on one connection. Prints one line of JSON.
 *
 *   unary HOST:PORT N      N calls, 50 at once: how many were answered by which pod; failures by their status
 *   kinds HOST:PORT        each kind of call once, with what has to be exact
 */
import { Client, credentials, type Deadline, Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";

const [command = "", target = "", number = "0"] = process.argv.slice(2);
const client = new Client(target, credentials.createInsecure());
const asBytes = (bytes: Buffer): Buffer => bytes;
const PATIENCE_MS = 60_000;
const AT_ONCE = 50;

interface Outcome {
  readonly error: ServiceError | null;
  readonly message: Buffer | undefined;
  readonly head: Metadata;
  readonly status: StatusObject;
}

interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly deadline?: Deadline;
  readonly cancelAfterMs?: number;
}

const unary = (message: Buffer, options: CallOptions = {}): Promise<Outcome> => {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  const deadline = options.deadline ?? Date.now() + PATIENCE_MS;
  return new Promise((resolve) => {
    let head = new Metadata();
    let answer: { readonly error: ServiceError | null; readonly message: Buffer | undefined } | undefined;
    const call = client.makeUnaryRequest(
      "/interop.Test/Unary",
      asBytes,
      asBytes,
      message,
      metadata,
      { deadline },
      (error, value) => (answer = { error, message: value }),
    );
    call.on("metadata", (fields) => (head = fields));
    call.on("status", (status) =>
      // The callback is called in the same turn.
      setImmediate(() => resolve({ error: null, message: undefined, ...answer, head, status })),
    );
    if (options.cancelAfterMs !== undefined) setTimeout(() => call.cancel(), options.cancelAfterMs);
  });
};

const count = async (calls: number): Promise<object> => {
  const counts: Record<string, number> = {};
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const { error, head } = await unary(Buffer.from("hello"));
      const who = error ? `${error.code} ${error.details}` : String(head.get("x-pod")[0]);
      counts[who] = (counts[who] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  return counts;
};

const ended = (call: NodeJS.EventEmitter): Promise<StatusObject> =>
  new Promise((resolve) => {
    call.on("error", () => undefined);
    call.on("status", resolve);
  });

const options = () => ({ deadline: Date.now() + PATIENCE_MS });

const serverStream = async (messages: number): Promise<object> => {
  const request = Buffer.from(String(messages));
  const call = client.makeServerStreamRequest("/interop.Test/ServerStream", asBytes, asBytes, request, options());
  let [got, bytes] = [0, 0];
  call.on("data", (message: Buffer) => {
    got++;
    bytes += message.length;
  });
  return { code: (await ended(call)).code, got, bytes };
};

const clientStream = async (messages: number): Promise<object> =>
  new Promise((resolve) => {
    const call = client.makeClientStreamRequest(
      "/interop.Test/ClientStream",
      asBytes,
      asBytes,
      options(),
      (error, value) => resolve({ code: error?.code ?? 0, said: value?.toString() }),
    );
    for (let index = 0; index < messages; index++) call.write(Buffer.alloc(index));
    call.end();
  });

/** Each message is sent when the one before it has come back. */
const bothStreams = async (messages: number): Promise<object> => {
  const call = client.makeBidiStreamRequest("/interop.Test/BothStreams", asBytes, asBytes, options());
  let sent = 0;
  let inOrder = 0;
  const send = (): void => void call.write(Buffer.from(`message ${sent}`));
  call.on("data", (message: Buffer) => {
    if (message.toString() === `message ${sent}`) inOrder++;
    if (++sent === messages) call.end();
    else send();
  });
  send();
  return { code: (await ended(call)).code, inOrder };
};

const LARGE = 3_000_000;

const kinds = async (): Promise<object> => {
  const large = Buffer.alloc(LARGE, "large");
  const failed = await unary(Buffer.of(), { metadata: { "fail-with": "9" } });
  const echoed = await unary(large);
  const late = await unary(Buffer.of(), { metadata: { hang: "yes" }, deadline: Date.now() + 500 });
  const cancelled = await unary(Buffer.of(), { metadata: { hang: "yes" }, cancelAfterMs: 200 });
  const after = await unary(Buffer.from("after"));
  return {
    failed: {
      code: failed.error?.code,
      details: failed.error?.details,
      trailer: failed.status.metadata.get("x-trailer"),
      binary: failed.status.metadata.get("x-trailer-bin").map((value) => Buffer.from(value).toString("hex")),
    },
    isLargeEqual: echoed.message?.equals(large),
    trailer: echoed.status.metadata.get("x-trailer"),
    late: late.error?.code,
    cancelled: cancelled.error?.code,
    after: after.message?.toString(),
    serverStream: await serverStream(1_000),
    clientStream: await clientStream(1_000),
    bothStreams: await bothStreams(200),
  };
};

process.stdout.write(`${JSON.stringify(command === "unary" ? await count(Number(number)) : await kinds())}\n`);
client.close();
process.exit(0);
