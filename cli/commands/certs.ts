import type { Command } from "commander";
import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { AuthorityCertificate, AuthorityStatus, RotationStatus } from "#mesh/admin/control-plane-status.ts";
import { assertNever } from "#mesh/assert-never.ts";
import type { RuntimeStatus } from "#local/status.ts";
import { commandLine } from "#local/command-line.ts";
import { CliFailure } from "../failure.ts";
import { type ChosenMesh, chooseMesh } from "../mesh-choice.ts";
import { bad, bold, doubtful, good } from "../output/colours.ts";
import { type OutputFormat, outputOption, printJson, printText } from "../output/output-format.ts";
import { until } from "../output/relative-time.ts";
import { table } from "../output/table.ts";
import { fetchStatus } from "./status.ts";

interface CertsOptions {
  readonly name?: string;
  readonly output: OutputFormat;
}

const EXAMPLES = `
Examples:
  heddle certs                      the authority, a change of the root, and the certificates of all nodes
  heddle certs rotate-issuing       a new issuing certificate, under the same root
  heddle certs rotate-root          a new root: announced first, signing once every node trusts it
  heddle certs cancel-rotation      withdraw a root that is announced and does not sign yet
  heddle certs leave-behind node-3  go on without a node that holds the new root back and will not come back
  heddle certs drop-root 3fa9c1d2   stop trusting an old root before its time
  heddle certs -o json`;

export const addCertsCommand = (program: Command): void => {
  const certs = program
    .command("certs")
    .description("show the certificate authority and all certificates")
    .option("--name <name>", "which mesh, if several are up")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(show);
  addStep(certs, "rotate-root", "begin to replace the root certificate").action(stepAction("rotate-root"));
  addStep(certs, "rotate-issuing", "replace the issuing certificate").action(stepAction("rotate-issuing"));
  addStep(certs, "cancel-rotation", "withdraw a root that does not sign yet").action(stepAction("cancel-rotation"));
  addStep(certs, "leave-behind", "let a new root sign without waiting for a node any longer", "node-3")
    .argument("<node>", "a node that `heddle certs` names; until it has the new root, others refuse it and it them")
    .action(async (node: string, _: object, command: Command) => take("leave-behind", command, { node }));
  addStep(certs, "drop-root", "stop trusting an old root before its time", "3fa9c1d2")
    .argument("<sha-256>", "the old root's, or the first 8 digits")
    .option(
      "--now",
      "its key is in other hands: end every connection under it, even if certificates under it are in use",
    )
    .action(async (root: string, { now = false }: { readonly now?: boolean }, command: Command) =>
      take("drop-root", command, { root, evenIfUsed: now }),
    );
};

const addStep = (certs: Command, name: string, description: string, example = ""): Command =>
  certs
    .command(name)
    .description(description)
    .option("--name <name>", "which mesh, if several are up")
    .addOption(outputOption())
    .addHelpText("after", `\nExample:\n  heddle certs ${name} ${example}`.trimEnd());

const stepAction =
  (name: string) =>
  async (_: object, command: Command): Promise<void> =>
    take(name, command);

const show = async (options: CertsOptions): Promise<void> => {
  const mesh = await chooseMesh(options.name);
  const authority = await askAuthority(mesh, "GET", "/certificates");
  const { nodes } = await fetchStatus(mesh);
  await mesh.client.close();
  const leaves = leavesOf(nodes);
  const silent = silentNodes(nodes);
  if (options.output === "json") {
    printJson({ authority, certificates: leaves, silent });
    return;
  }
  const parts = [authorityText(authority), rotationText(authority.rotation), leavesTable(leaves), silentText(silent)];
  printText(parts.filter((part) => part !== "").join("\n\n"));
};

/** Has the control plane take a step, and shows what there is afterwards. */
const take = async (step: string, command: Command, body?: object): Promise<void> => {
  const options = command.optsWithGlobals<CertsOptions>();
  const mesh = await chooseMesh(options.name);
  const authority = await askAuthority(mesh, "POST", `/certificates/${step}`, body);
  await mesh.client.close();
  if (options.output === "json") printJson(authority);
  else printText(`${authorityText(authority)}\n\n${rotationText(authority.rotation)}`);
};

const askAuthority = async ({ name, client }: ChosenMesh, method: "GET" | "POST", path: string, body?: object) => {
  const answer = await client.json<AuthorityStatus>(`/control-plane${path}`, { method, body });
  if (answer.ok) return answer.value;
  const hint = method === "POST" ? commandLine(name, "certs") : commandLine(name, "logs", "--control-plane");
  throw new CliFailure(`the control plane of mesh ${name}: ${answer.error}`, { hint });
};

interface Leaf extends CertificateStatus {
  readonly node: string;
}

const leavesOf = (nodes: RuntimeStatus["nodes"]): readonly Leaf[] =>
  nodes.flatMap(({ name, agent }) => (agent?.certificates ?? []).map((leaf) => ({ node: name, ...leaf })));

/** A node of which it is not known which certificates it holds. */
interface SilentNode {
  readonly node: string;
  readonly problem: string;
}

export const silentNodes = (nodes: RuntimeStatus["nodes"]): readonly SilentNode[] =>
  nodes.flatMap(({ name, agent, agentProblem = "it is not running" }) =>
    agent === undefined ? [{ node: name, problem: agentProblem }] : [],
  );

/** One line for each, so that nobody takes a node that is left out for one without certificates. */
export const silentText = (silent: readonly SilentNode[]): string =>
  silent.map(({ node, problem }) => bad(`${node}: its agent does not say what it holds: ${problem}`)).join("\n");

const authorityText = ({ trustDomain, roots, issuing }: AuthorityStatus): string =>
  `${bold("trust domain")} ${trustDomain}\n\n${table([
    ["AUTHORITY", "STATE", "EXPIRES", "SHA-256"].map(bold),
    ...roots.map((root) => authorityRow("root", root)),
    authorityRow("issuing", issuing),
  ])}`;

const authorityRow = (role: string, { state, notAfter, fingerprint }: AuthorityCertificate): readonly string[] => [
  role,
  state === "signing" ? good(state) : doubtful(state),
  `in ${until(notAfter, Date.now())}`,
  fingerprint,
];

/** Where a change of the root stands, and who holds it back. */
export const rotationText = (rotation: RotationStatus): string => {
  switch (rotation.kind) {
    case "idle":
      return "The root is not being changed.";
    case "announcing":
      return rotation.waitingFor.length === 0
        ? "A new root is announced, and every node trusts it: it signs next."
        : `A new root is announced. It signs when these nodes trust it: ${rotation.waitingFor.join(", ")}\n` +
            "One that is gone is waited for until its certificates have ended; go on without it: heddle certs leave-behind NODE";
    case "retiring":
      return rotation.waitingFor.length === 0
        ? `The old root is trusted until ${rotation.until}.`
        : `The old root is trusted until ${rotation.until}. Certificates under it are still held by: ${rotation.waitingFor.join(", ")}`;
    default:
      return assertNever(rotation);
  }
};

const leavesTable = (leaves: readonly Leaf[]): string =>
  leaves.length === 0
    ? "No node holds a certificate."
    : table([
        ["NODE", "WORKER", "IDENTITY", "STATE", "EXPIRES", "RENEWAL", "SERIAL"].map(bold),
        ...leaves.map(leafRow),
      ]);

const leafRow = ({ node, worker, identity, state, notAfter, renewAt, serial, lastError }: Leaf): readonly string[] => [
  node,
  String(worker),
  identity,
  state === "valid" ? good(state) : bad(lastError === undefined ? state : `${state}: ${lastError}`),
  notAfter === undefined ? "-" : `in ${until(notAfter, Date.now())}`,
  renewAt === undefined ? "-" : `in ${until(renewAt, Date.now())}`,
  serial ?? "-",
];
