import { join } from "node:path";
import { requireTools } from "#local/require-tools.ts";
import { CliFailure } from "../failure.ts";
import { bold, dim } from "../output/colours.ts";
import { DemoMesh } from "./demo-mesh.ts";
import { BrokenPromise, Story } from "./story.ts";
import { type Capture, WireTap } from "./wire-tap.ts";

/** Stands in the request, and nowhere else: is it readable between the nodes? */
const MARKER = "card=4000-1234-5678-9010";
const PATH = `/orders?${MARKER}`;
const LOAD_SECONDS = 3;
const CALLERS = 16;

/** What a request looked like: to the caller, and on the wire. */
interface Seen {
  readonly answer: string;
  readonly capture: Capture;
}

const main = async (story: Story, mesh: DemoMesh): Promise<void> => {
  story.headline("Heddle: two nodes, four pods, one request");
  await story.wait("two nodes are made from network namespaces, and their pods are started", mesh.up());
  const client = await mesh.pod("shop/client");
  const web = await mesh.pod("shop/web-0");
  story.show("shop/client", `${client.node}  ${client.addresses[0]}`);
  story.show("shop/web-0, shop/web-1", `${web.node}  a plain HTTP server, no TLS anywhere in it`);

  story.step("Without the mesh");
  const clear = await request(story, mesh);
  tellRequest(story, clear);
  story.promise(clear.capture.shows(MARKER), `between the nodes anybody can read  ${MARKER}`);

  story.step("With the mesh: one label on the namespace, no pod restarted");
  story.say(dim("metadata.labels: istio.io/dataplane-mode: ambient"));
  await story.wait("the running pods are captured", mesh.join());
  const meshed = await request(story, mesh);
  tellRequest(story, meshed);
  story.promise(!meshed.capture.shows(MARKER), "between the nodes nobody can read it any more");
  story.promise(
    meshed.capture.encryptedFrames > 0,
    `${meshed.capture.encryptedFrames} frames carry TLS 1.3 records, both sides have proven who they are`,
  );

  story.step("Who called?");
  await tellIdentity(story, mesh, String(web.node), client.addresses);
  story.promise(
    meshed.answer.includes(`called from ${client.addresses[0]}`),
    "the application saw the client's own address",
  );

  story.step("Strangers stay out: PeerAuthentication STRICT");
  await tellStranger(story, mesh, String(web.node));

  story.step("A proxy process dies under load");
  await tellCrash(story, mesh, String(client.node), String(client.uid));

  story.headline("What you saw: one label, and everything between the nodes is encrypted and knows who is calling.");
  story.say(
    `next: ${bold("bin/heddle up examples/first-mesh")}, and ${bold("bin/heddle status")} in another terminal\n`,
  );
};

/** The one request, as a program that knows nothing of any mesh makes it, with the link of the other node listened to. */
const request = async (story: Story, mesh: DemoMesh): Promise<Seen> => {
  const tap = await WireTap.open(mesh.client, "node-2");
  const answer = await story.wait("shop/client calls http://web", mesh.exec("shop/client", ...caller("web", PATH)));
  return { answer, capture: await tap.close() };
};

const caller = (host: string, path: string): readonly string[] => [
  "node",
  "-e",
  `require("node:http").get({ host: ${JSON.stringify(host)}, path: ${JSON.stringify(path)}, family: 4 }, (answer) =>
     answer.setEncoding("utf8").on("data", (text) => process.stdout.write(answer.statusCode + " " + text)))
   .on("error", ({ code }) => console.log(code));`,
];

const tellRequest = (story: Story, { answer, capture }: Seen): void => {
  story.show(`GET http://web${PATH.slice(0, 7)}...`, answer);
  story.show("seen on the link of node-2", `${capture.frames.length} frames, ${capture.bytes} bytes`);
};

const tellIdentity = async (
  story: Story,
  mesh: DemoMesh,
  node: string,
  addresses: readonly string[],
): Promise<void> => {
  // A connection has a line when it opens, a request when it is over.
  const events = new Set(["opened", "request"]);
  const accepted = () =>
    mesh.accessLog(node).findLast(({ direction, event = "" }) => direction === "inbound" && events.has(event));
  await mesh.until(() => accepted() !== undefined);
  const line = accepted();
  story.show("identity that the server side verified", `${line?.["src.identity"]}`);
  story.show("address it came from", `${line?.["src.addr"]}`);
  story.promise(
    line?.["src.identity"] === "spiffe://cluster.local/ns/shop/sa/client" &&
      addresses.some((address) => line["src.addr"]?.includes(address) === true),
    `${node} logged who called whom, from the certificate and not from the address`,
  );
};

/** A request is answered; a connection that is refused before anything was read of it is reset. */
const REFUSED = /^(?:403 heddle|ECONNRESET)/;

const tellStranger = async (story: Story, mesh: DemoMesh, node: string): Promise<void> => {
  const call = () => mesh.exec("outside/stranger", ...caller("web.shop", "/"));
  story.show("outside/stranger before", await call());
  mesh.closeToStrangers();
  const refusal = () => mesh.accessLog(node).findLast((line) => line.reason === "plaintext-refused");
  let last = "";
  for (let attempt = 0; attempt < 50 && refusal() === undefined; attempt++) last = await call();
  story.show("outside/stranger after", last);
  story.show("what the log says", `${refusal()?.error}`);
  story.promise(
    REFUSED.test(last) && refusal() !== undefined,
    "the stranger is refused, and told apart in log and metrics",
  );
  const own = await mesh.exec("shop/client", ...caller("web", "/"));
  story.promise(own.startsWith("200"), "shop/client is served as before");
};

const tellCrash = async (story: Story, mesh: DemoMesh, node: string, uid: string): Promise<void> => {
  const nodeNow = async () => (await mesh.status()).nodes.find(({ name }) => name === node)?.agent;
  const index = (await nodeNow())?.pods.find((pod) => pod.uid === uid)?.worker ?? 0;
  const before = (await nodeNow())?.workers.find((worker) => worker.index === index);
  const script = join(import.meta.dirname, "load.ts");
  const load = mesh.exec("shop/client", "node", script, "web", "80", String(LOAD_SECONDS), String(CALLERS));
  await new Promise((resolve) => setTimeout(resolve, (LOAD_SECONDS * 1000) / 2));
  await mesh.killWorker(node, index);
  const counts = JSON.parse(
    await story.wait(`${CALLERS} callers, and SIGKILL for the worker that serves them`, load),
  ) as {
    answered: number;
    refused: number;
    reset: number;
    other: number;
  };
  const isBack = (worker: { index: number; startId: string }): boolean =>
    worker.index === index && worker.startId !== before?.startId;
  await mesh.until(({ nodes }) =>
    nodes.some(({ name, agent }) => name === node && agent?.workers.some(isBack) === true),
  );
  story.show("requests answered", String(counts.answered));
  story.show("in flight when it died, and reset", String(counts.reset));
  story.show("connections refused", String(counts.refused + counts.other));
  story.promise(
    counts.answered > 0 && counts.reset <= CALLERS,
    "a new worker took over, with the sockets that were kept for it",
  );
  story.promise(counts.refused + counts.other === 0, "nobody was refused");
};

const story = new Story();
let mesh: DemoMesh | undefined;
const end = async (exitCode: number): Promise<never> => {
  await mesh?.down();
  process.exit(exitCode);
};
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end(130));

try {
  const { shortcomings } = await requireTools(join(import.meta.dirname, "../.."), (line) =>
    process.stderr.write(`${line}\n`),
  );
  if (shortcomings.length > 0) process.exit(1);
  mesh = new DemoMesh();
  await main(story, mesh);
  await end(0);
} catch (error) {
  const isExpected = error instanceof CliFailure || error instanceof BrokenPromise;
  process.stderr.write(`\nheddle: ${isExpected ? error.message : (error as Error).stack}\n`);
  await end(1);
}
