/** Kubernetes YAML for tests, short. */

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): string =>
  document({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });

export const AMBIENT = { "istio.io/dataplane-mode": "ambient" };

interface PodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly container?: object;
}

/** A pod `ns/name` with one container. */
export const pod = (key: string, command: readonly string[], options: PodOptions = {}): string => {
  const [namespace, name] = key.split("/");
  const container = { name: "app", image: "node:26-alpine", command, ...options.container };
  return document({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: options.labels, annotations: options.annotations },
    spec: { containers: [container], ...options.spec },
  });
};

/** A pod that only sleeps. */
export const sleeper = (key: string, options: PodOptions = {}): string => pod(key, ["sleep", "infinity"], options);

/** A pod that answers every connection to port 8080 with its own name and the caller's address. */
export const greeter = (key: string, options: PodOptions = {}): string => pod(key, ["node", "-e", GREETER], options);

const GREETER = `
const greet = (socket) => socket.on("error", () => {}).end(process.env.HOSTNAME + " greets " + socket.remoteAddress);
require("net").createServer(greet).listen(8080);`;

/** What a client runs to hear a greeting: `call(host, port)`. */
export const call = (host: string, port: number): readonly string[] => [
  "node",
  "-e",
  `const socket = require("net").connect({ host: "${host}", port: ${port}, timeout: 3000 });
   socket.on("timeout", () => socket.destroy(new Error("timeout"))).on("error", (error) => console.log(error.code ?? error.message));
   socket.pipe(process.stdout);`,
];

export const service = (key: string, spec: object): string => {
  const [namespace, name] = key.split("/");
  return document({ apiVersion: "v1", kind: "Service", metadata: { namespace, name }, spec });
};

/** JSON is YAML. */
const document = (object: object): string => `---\n${JSON.stringify(object)}\n`;
