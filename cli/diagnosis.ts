import type { AgentStatus, CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { ObjectStatus } from "#mesh/admin/control-plane-status.ts";
import type { ContainerReport } from "#local/containers/pod-containers.ts";
import type { ProcessEnd, ProcessStatus } from "#local/processes/managed-process.ts";
import type { ControlPlaneReport, NodeReport, PodReport, RuntimeStatus } from "#local/status.ts";
import { NO_ANSWER } from "#local/socket/unix-client.ts";
import { commandLine } from "#local/command-line.ts";
import { since, until } from "./output/relative-time.ts";

/** Something about a mesh that somebody should know. */
export interface Finding {
  /** A notice is no fault; everything else keeps the mesh from being what it should be. */
  readonly severity: "problem" | "notice";
  /** Whom it is about. */
  readonly about: string;
  readonly text: string;
  /** What to try. */
  readonly hint?: string;
  /** Waiting does not help: somebody has to change something. */
  readonly lasting?: true;
}

/** What ended this often will not run without somebody's help. */
const MANY_RESTARTS = 3;

/** What is wrong with a mesh, in words; nothing if all is well. */
export const diagnose = (status: RuntimeStatus, nowMs: number): readonly Finding[] => [
  ...status.problems.map((text) => problem("this machine", text)),
  ...aboutControlPlane(status.controlPlane, commandLine(status.name, "logs", "--control-plane")),
  ...status.controlPlane.objects.flatMap(aboutObject),
  ...aboutStatusFolder(status.controlPlane),
  ...aboutEmptyFolder(status),
  ...status.nodes.flatMap((node) => aboutNode(node, nowMs, commandLine(status.name, "logs", "--node", node.name))),
  ...status.pods.flatMap((pod) => aboutPod(pod, agentPodOf(pod, status), status.name)),
  ...aboutIsolation(status),
];

/**
 * Whether a process that everything else depends on ends again and again for the same reason: somebody has to do something
 * about it before there is anything to wait for.
 */
export const isCrashing = ({ controlPlane, nodes }: RuntimeStatus): boolean =>
  [controlPlane.process, ...nodes.map(({ supervisor }) => supervisor)].some(endsAlike);

const NODES_GO_ON = "nodes go on with what they have";
const REPLACED = "if it stays so another takes its place within half a minute, and all is well again by itself";

const aboutControlPlane = (report: ControlPlaneReport, hint: string): readonly Finding[] => {
  const { process, problem: silence, inventory } = report;
  const stopped = notRunning(process, silence !== undefined);
  if (stopped !== undefined) return [aboutProcess("control plane", stopped, process, hint)];
  if (silence === NO_ANSWER) return [problem("control plane", `does not answer: ${silence}; ${NODES_GO_ON}`, REPLACED)];
  if (silence !== undefined) return [problem("control plane", `does not answer: ${silence}`, hint)];
  return inventory ? [] : [problem("control plane", "has not read the objects yet", hint)];
};

/** Traffic does not depend on it, but who waits for a status waits in vain. */
const aboutStatusFolder = ({ statusFolder }: ControlPlaneReport): readonly Finding[] =>
  statusFolder?.problem === undefined
    ? []
    : [
        notice(
          "statuses",
          `cannot be written: ${statusFolder.problem}`,
          "it goes on by itself, as when a full disk has room again",
        ),
      ];

const aboutEmptyFolder = ({ controlPlane, objects }: RuntimeStatus): readonly Finding[] =>
  controlPlane.problem === undefined && controlPlane.inventory && controlPlane.declared === 0
    ? [notice("objects", `nothing is declared: there are no objects in ${objects}`)]
    : [];

const aboutObject = (object: ObjectStatus): readonly Finding[] => {
  const name = object.namespace === "" ? object.name : `${object.namespace}/${object.name}`;
  const about = `${object.kind} ${name} (${object.source})`;
  const notices = object.warnings.map((text) => notice(about, text));
  if (object.accepted) return notices;
  const consequence = object.serving ? "is refused, and its last good version stays in force" : "is refused";
  const reasons = object.problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return [lasting(problem(about, `${consequence}: ${reasons.join("; ")}`)), ...notices];
};

const aboutNode = (node: NodeReport, nowMs: number, hint: string): readonly Finding[] => {
  const stopped = notRunning(node.supervisor, !node.enrolment);
  if (stopped !== undefined) return [aboutProcess(node.name, `its supervisor ${stopped}`, node.supervisor, hint)];
  if (!node.enrolment) return [problem(node.name, "its supervisor takes no pods yet", hint)];
  if (node.isSilent) return [problem(node.name, "its supervisor does not answer: no pod comes or goes", REPLACED)];
  if (node.agent === undefined) return [problem(node.name, `its agent does not answer: ${node.agentProblem}`, hint)];
  return [
    ...aboutDraining(node),
    ...node.agent.notReady.map((reason) => problem(node.name, reason, hint)),
    ...aboutLink(node, node.agent, nowMs, hint),
    ...node.agent.certificates.flatMap((certificate) => aboutCertificate(node.name, certificate, nowMs, hint)),
  ];
};

const aboutDraining = ({ name, draining }: NodeReport): readonly Finding[] => {
  if (draining === undefined) return [];
  const left = `${draining.connections} connection${draining.connections === 1 ? "" : "s"}`;
  const seconds = Math.ceil(draining.endsInMs / 1000);
  return [
    notice(name, `its proxy before the upgrade (pid ${draining.pid}) still has ${left}, for ${seconds} s at the most`),
  ];
};

/** Whether the node has, and enforces, what the control plane wants it to have. */
const aboutLink = ({ name, link }: NodeReport, agent: AgentStatus, nowMs: number, hint: string): readonly Finding[] => {
  const { connected, lastError, since: lostAt } = agent.controlPlane;
  if (!connected) {
    const reason = lastError === undefined ? "" : `: ${lastError}`;
    return [
      problem(
        name,
        `is not connected to the control plane, for ${since(lostAt, nowMs)}${reason}; it goes on with what it has`,
        hint,
      ),
    ];
  }
  const refused = (link?.types ?? []).flatMap(({ type, nack }) =>
    nack === undefined ? [] : [problem(name, `refuses configuration of type ${type}: ${nack}`, hint)],
  );
  if (refused.length > 0) return refused;
  if (link !== undefined && link.held !== link.wanted) {
    const held = link.held === "" ? "no configuration yet" : `configuration ${link.held}`;
    return [problem(name, `has ${held}, and ${link.wanted} is wanted`, hint)];
  }
  const { generation, enforced } = agent.config;
  return enforced === generation
    ? []
    : [problem(name, `enforces generation ${enforced} of its configuration, and has received ${generation}`, hint)];
};

const aboutCertificate = (
  node: string,
  { identity, worker, state, notAfter, lastError }: CertificateStatus,
  nowMs: number,
  hint: string,
): readonly Finding[] => {
  const about = `${node} worker ${worker}`;
  if (notAfter !== undefined && until(notAfter, nowMs) === "expired") {
    return [problem(about, `the certificate of ${identity} has expired${because(lastError)}`, hint)];
  }
  if (state === "failing")
    return [problem(about, `gets no new certificate for ${identity}${because(lastError)}`, hint)];
  return state === "pending" ? [problem(about, `waits for its first certificate for ${identity}`, hint)] : [];
};

const aboutPod = (
  pod: PodReport,
  inAgent: AgentStatus["pods"][number] | undefined,
  mesh: string,
): readonly Finding[] => {
  const about = `${pod.namespace}/${pod.name}`;
  const hint = commandLine(mesh, "logs", about);
  const findings = [
    ...pod.objections.map((text) => lasting(problem(about, text))),
    ...(pod.problem === undefined ? [] : [problem(about, pod.problem)]),
    ...pod.containers.flatMap((container) => aboutContainer(about, container, hint)),
  ];
  if (inAgent?.capture === "lost") {
    findings.push(problem(about, `its capture rules are gone${because(inAgent.captureProblem)}`));
  } else if (inAgent?.capture === "starting") {
    findings.push(problem(about, `the proxy does not serve it yet${because(inAgent.captureProblem)}`));
  }
  if (findings.length === 0 && !pod.ready && pod.phase !== "Succeeded") findings.push(problem(about, waitingFor(pod)));
  if (inAgent !== undefined && inAgent.riskyCapabilities.length > 0) {
    const powers = inAgent.riskyCapabilities.join(", ");
    findings.push(
      notice(about, `can leave the mesh, because it has ${powers}: past the proxy and its policies`, DROP_THEM),
    );
  }
  if (pod.hostNetwork) {
    findings.push(notice(about, "is outside the mesh, because it uses its node's network (hostNetwork)", OWN_NETWORK));
  }
  return findings;
};

const DROP_THEM =
  "drop them in securityContext.capabilities; pods that require STRICT are not reached in clear all the same";
const OWN_NETWORK = "it calls and is called in clear, without an identity; pods that require STRICT refuse it";

const waitingFor = ({ step, phase }: PodReport): string => {
  if (step === "set-up") return "gets its network";
  if (step === "enrol") return "waits for the node's proxy to take it";
  if (step === "tear-down") return "is being stopped";
  return `is not ready: ${phase}`;
};

const aboutContainer = (about: string, container: ContainerReport, hint: string): readonly Finding[] => {
  const { name, state, init, restarts } = container;
  const what = `${init ? "init container" : "container"} ${name}`;
  if (state.kind === "waiting" && state.reason !== "not started yet") {
    const found = problem(about, `${what}: ${state.reason}`, hint);
    return [restarts >= MANY_RESTARTS ? lasting(found) : found];
  }
  return state.kind === "finished" && state.exit.code !== 0
    ? [lasting(problem(about, `${what} has ended: ${state.exit.reason}`, hint))]
    : [];
};

const aboutIsolation = ({ isolation }: RuntimeStatus): readonly Finding[] =>
  isolation.kind === "full"
    ? []
    : [notice("isolation", `reduced: all processes of a node share one user id (${isolation.reason})`)];

/** Something about a process that does not run: waiting does not help if it ends again and again for the same reason. */
const aboutProcess = (about: string, text: string, status: ProcessStatus, hint: string): Finding => {
  const found = problem(about, text, hint);
  return endsAlike(status) ? lasting(found) : found;
};

/**
 * Why a process that is kept running does not run. One that is silent and is being started once more after several ended alike
 * is about to end too.
 */
const notRunning = (status: ProcessStatus, isSilent: boolean): string | undefined => {
  if (status.kind === "stopped") return "is not started yet";
  const { lastEnd } = status;
  if (lastEnd === undefined || (status.kind === "running" && !(isSilent && lastEnd.alike > 1))) return undefined;
  return `${ended(lastEnd)}; that was start ${status.restarts}`;
};

const ended = ({ exit, complaint }: ProcessEnd): string =>
  complaint === undefined
    ? `ended (${exit}) and is started again`
    : `ended (${exit}): ${complaint.replace(/[.;]$/, "")}; it is started again`;

const endsAlike = (status: ProcessStatus): boolean =>
  status.kind !== "stopped" && (status.lastEnd?.alike ?? 0) >= MANY_RESTARTS;

const agentPodOf = (pod: PodReport, { nodes }: RuntimeStatus): AgentStatus["pods"][number] | undefined =>
  nodes.find(({ name }) => name === pod.node)?.agent?.pods.find(({ uid }) => uid === pod.uid);

const because = (reason: string | undefined): string => (reason === undefined ? "" : `: ${reason}`);

const problem = (about: string, text: string, hint?: string): Finding => finding("problem", about, text, hint);

const notice = (about: string, text: string, hint?: string): Finding => finding("notice", about, text, hint);

const lasting = (found: Finding): Finding => ({ ...found, lasting: true });

const finding = (severity: Finding["severity"], about: string, text: string, hint: string | undefined): Finding =>
  hint === undefined ? { severity, about, text } : { severity, about, text, hint };
