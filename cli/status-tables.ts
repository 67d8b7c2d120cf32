import type { CertificateStatus } from "#mesh/admin/agent-status.ts";
import type { NodeReport, PodReport, RuntimeStatus } from "#local/status.ts";
import { bad, bold, dim, doubtful, good } from "./output/colours.ts";
import { since, until } from "./output/relative-time.ts";
import { table } from "./output/table.ts";

/** One line about the whole mesh. */
export const meshLine = (status: RuntimeStatus, nowMs: number): string => {
  const facts = [
    `${status.phase === "running" ? "up" : status.phase} ${since(status.startedAt, nowMs)}`,
    `trust domain ${status.trustDomain}`,
    `isolation ${status.isolation.kind}`,
    status.ipv6 ? "IPv4 and IPv6" : "IPv4 only",
    `objects in ${status.objects}`,
  ];
  return `${bold(`mesh ${status.name}`)}  ${facts.join(", ")}`;
};

export const nodesTable = ({ nodes, pods }: RuntimeStatus): string =>
  table([
    heading("NODE", "READY", "CONTROL PLANE", "CONFIG HELD", "WANTED", "ENFORCED", "WORKERS", "PODS", "CONNECTIONS"),
    ...nodes.map((node) => nodeRow(node, pods)),
  ]);

export const podsTable = (status: RuntimeStatus, nowMs: number): string =>
  table([
    heading("POD", "NODE", "STATE", "ADDRESS", "CAPTURE", "IDENTITY", "CERTIFICATE", "RESTARTS"),
    ...status.pods.map((pod) => podRow(pod, status, nowMs)),
  ]);

const nodeRow = ({ name, agent, link }: NodeReport, pods: readonly PodReport[]): readonly string[] => {
  const ownPods = String(pods.filter(({ node }) => node === name).length);
  if (agent === undefined) return [name, bad("no"), "-", "-", link?.wanted ?? "-", "-", "-", ownPods, "-"];
  const { connected } = agent.controlPlane;
  const { generation, enforced } = agent.config;
  const held = link?.held ?? agent.config.version;
  return [
    name,
    agent.ready ? good("yes") : bad("no"),
    connected ? good("connected") : bad("lost"),
    held === link?.wanted ? held : doubtful(held || "none"),
    link?.wanted ?? "-",
    enforced === generation ? "yes" : doubtful(`${enforced} of ${generation}`),
    String(agent.workers.length),
    ownPods,
    String(agent.workers.reduce((sum, { openConnections }) => sum + openConnections, 0)),
  ];
};

const podRow = (pod: PodReport, { nodes }: RuntimeStatus, nowMs: number): readonly string[] => {
  const agent = nodes.find(({ name }) => name === pod.node)?.agent;
  const inAgent = agent?.pods.find(({ uid }) => uid === pod.uid);
  const certificate = agent?.certificates.find(
    ({ identity, worker }) => identity === inAgent?.identity && worker === inAgent.worker,
  );
  return [
    `${pod.namespace}/${pod.name}`,
    pod.node ?? "-",
    pod.ready ? good("ready") : stateOf(pod),
    pod.addresses.join(" ") || "-",
    captureOf(pod, inAgent?.capture),
    inAgent?.identity ?? dim("-"),
    certificateOf(certificate, nowMs),
    String(pod.containers.reduce((sum, { restarts }) => sum + restarts, 0)),
  ];
};

const stateOf = ({ phase, step, objections, problem }: PodReport): string => {
  if (objections.length > 0 || problem !== undefined || phase === "Failed") return bad("problem");
  if (phase === "Succeeded") return "finished";
  return doubtful(step === "tear-down" ? "stopping" : "starting");
};

const captureOf = ({ enrol, enrolled }: PodReport, inAgent: string | undefined): string => {
  if (!enrol) return dim("not in the mesh");
  if (!enrolled) return doubtful("enrolling");
  if (inAgent === undefined) return doubtful("unknown");
  return inAgent === "captured" ? good(inAgent) : bad(inAgent);
};

const certificateOf = (certificate: CertificateStatus | undefined, nowMs: number): string => {
  if (certificate === undefined) return dim("-");
  if (certificate.state !== "valid" || certificate.notAfter === undefined) return bad(certificate.state);
  return `${until(certificate.notAfter, nowMs)} left`;
};

const heading = (...names: readonly string[]): readonly string[] => names.map(bold);
