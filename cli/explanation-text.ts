import type {
  ExplainedBackend,
  ExplainedCandidate,
  ExplainedDestination,
  ExplainedEndpoint,
  ExplainedEndpoints,
  ExplainedForwarding,
  ExplainedRequest,
  ExplainedRoutes,
  ExplainedVerdict,
  RequestExplanation,
} from "#mesh/admin/request-explanation.ts";
import { assertNever } from "#mesh/assert-never.ts";
import { formatDuration } from "#mesh/duration.ts";
import type { Mismatch } from "#mesh/routes/compiled-match.ts";
import type { MatchedRule } from "#mesh/routes/decide-http-route.ts";
import type { RetryConstraint, RouteFilter } from "#mesh/routes/route.ts";
import { bad, bold, dim, doubtful, good } from "./output/colours.ts";
import { table } from "./output/table.ts";
import { headerChanges, headerModifierText } from "./header-changes.ts";

/** Lists are cut here for people; `-o json` has all that there is. */
const MAX_CANDIDATES = 20;
const MAX_ENDPOINTS = 12;

/** What would become of a request, stage by stage, for people. */
export const explanationText = (explanation: RequestExplanation): string =>
  [
    ...headLines(explanation),
    "",
    line("destination", destinationText(explanation.destination)),
    ...(explanation.protocol
      ? [line("protocol", `${explanation.protocol.spoken}: ${explanation.protocol.message}`)]
      : []),
    ...(explanation.routes ? routesLines(explanation.routes) : []),
    ...outcomeLines(explanation),
  ].join("\n");

const headLines = ({ source, request, node, config }: RequestExplanation): readonly string[] => {
  const who = source.identity ?? "not in the mesh: it proves nothing";
  const lines = [
    `${bold(`${request.method} ${request.target}`)} to ${bold(request.authority)}`,
    `from ${source.namespace}/${source.name} on ${source.node}, ${who}`,
  ];
  if (config.enforced < config.generation) {
    const behind = `${node} enforces generation ${config.enforced} of its configuration, and this is generation ${config.generation}`;
    lines.push(doubtful(behind));
  }
  return lines;
};

const LABEL_WIDTH = 13;

const line = (label: string, text: string): string => `${bold(label.padEnd(LABEL_WIDTH))}${text}`;
const more = (label: string, text: string): string => `  ${label.padEnd(LABEL_WIDTH - 2)}${text}`;

const destinationText = (destination: ExplainedDestination): string => {
  switch (destination.kind) {
    case "service": {
      const { service, address, port } = destination;
      const where = address === undefined ? `headless, port ${port} of its pods` : endpointText(address, port);
      return `Service ${service.namespace}/${service.name}, ${where}`;
    }
    case "workload":
      return `pod ${destination.workload.namespace}/${destination.workload.name} by its own address, ${endpointText(destination.address, destination.port)}`;
    case "unknown":
      return `${endpointText(destination.address, destination.port)}, which the mesh does not know`;
    case "none":
      return "none";
    default:
      return assertNever(destination);
  }
};

const endpointText = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

const routesLines = ({ group, kind, candidates, total }: ExplainedRoutes): readonly string[] => {
  if (group === undefined || kind === undefined) return [line("routes", "none: the Service is served as it is")];
  const whose = group === "producer" ? "the Service's namespace" : "the caller's own namespace, which take precedence";
  const rows = candidates.slice(0, MAX_CANDIDATES).map(candidateRow);
  const left = total - rows.length;
  return [
    line("routes", `${kind}s of ${whose}, in the order in which they are tried`),
    ...indented(table(rows)),
    ...(left > 0 ? [dim(`  and ${left} more (-o json)`)] : []),
  ];
};

const candidateRow = ({ rule, outcome, mismatch }: ExplainedCandidate): readonly string[] => {
  const name = `${ruleText(rule)} match ${rule.matchIndex}`;
  if (outcome === "chosen") return [good("chosen"), bold(name), ""];
  if (outcome === "behind") return [dim("behind"), name, dim("matches too, and comes later")];
  return [dim("no"), name, mismatch ? mismatchText(mismatch) : ""];
};

const ruleText = ({ route, ruleIndex, ruleName }: MatchedRule): string =>
  `${route.namespace}/${route.name} rule ${ruleIndex}${ruleName === undefined ? "" : ` (${ruleName})`}`;

const mismatchText = (mismatch: Mismatch): string => {
  switch (mismatch.kind) {
    case "path":
      return `the path is not ${mismatch.wanted}`;
    case "method":
      return `the method is not ${mismatch.wanted}`;
    case "header":
      return `header ${mismatch.name} is ${foundText(mismatch.found)}, not ${mismatch.wanted}`;
    case "query-param":
      return `query parameter ${mismatch.name} is ${foundText(mismatch.found)}, not ${mismatch.wanted}`;
    default:
      return assertNever(mismatch);
  }
};

const foundText = (found: string | undefined): string => (found === undefined ? "not there" : JSON.stringify(found));

const outcomeLines = (explanation: RequestExplanation): readonly string[] => {
  const { outcome } = explanation;
  switch (outcome.kind) {
    case "nowhere":
      return [line("outcome", bad(outcome.message))];
    case "passthrough":
      return [line("outcome", doubtful(outcome.message))];
    case "unrouted":
      return [
        ...sessionLines(outcome.endpoints),
        line("endpoints", countText(outcome.endpoints)),
        ...endpointLines(outcome.endpoints),
      ];
    case "forward":
      return forwardLines(outcome, explanation);
    case "redirect":
      return [
        line("outcome", `${ruleText(outcome.rule)} redirects it: ${outcome.status} to ${outcome.location}`),
        ...responseLines(outcome.responseFilters),
      ];
    case "respond":
      return [
        line("outcome", `${ruleText(outcome.rule)} answers this preflight of CORS with ${outcome.status}`),
        ...outcome.fields.map(({ name, value }) => more("", `${name}: ${value}`)),
      ];
    case "error": {
      const by = outcome.rule ? `${ruleText(outcome.rule)}: ` : "";
      return [line("outcome", bad(`${by}answered with ${outcome.status}: ${outcome.reason}`))];
    }
    default:
      return assertNever(outcome);
  }
};

const forwardLines = (forwarding: ExplainedForwarding, of: RequestExplanation): readonly string[] => [
  line("rule", ruleText(forwarding.rule)),
  ...limitLines(forwarding),
  ...forwarding.backends.flatMap((backend) => backendLines(backend, of)),
];

const limitLines = ({ timeouts, retry }: ExplainedForwarding): readonly string[] => {
  const { requestMs, backendRequestMs } = timeouts;
  const limits = [
    ...(requestMs ? [`${formatDuration(requestMs)} for the whole`] : []),
    ...(backendRequestMs ? [`${formatDuration(backendRequestMs)} for each attempt`] : []),
  ];
  const codes = retry && ["failed connections", ...retry.codes].join(", ");
  const apart = retry?.backoffMs === undefined ? "" : `, after ${formatDuration(retry.backoffMs)}`;
  return [
    ...(limits.length === 0 ? [] : [more("timeouts", limits.join(", "))]),
    ...(retry ? [more("retries", `${retry.attempts}, of ${codes}${apart}`)] : []),
  ];
};

const backendLines = (
  { service, weight, share, outcome }: ExplainedBackend,
  { request, protocol }: RequestExplanation,
): readonly string[] => {
  const name = service ?? "(leads nowhere)";
  const part = `weight ${weight}, ${percent(share)} of the requests`;
  if (outcome.kind === "never") return [line("backend", `${name}  ${dim(`gets none: ${outcome.reason}`)}`)];
  if (outcome.kind === "error") {
    return [line("backend", `${name}  ${part}`), more("", bad(`answered with ${outcome.status}: ${outcome.reason}`))];
  }
  const changes = requestChanges(request, outcome.request);
  return [
    line("backend", `${bold(name)}  ${part}`),
    ...(changes.length === 0 ? [] : [more("changed", changes.join(", "))]),
    ...(outcome.version === protocol?.spoken
      ? []
      : [more("goes on", `as ${outcome.version}, as the backend's port is declared`)]),
    ...responseLines(outcome.responseFilters),
    ...outcome.mirrors.map(({ target, share: { numerator, denominator } }) =>
      more("copied", `${percent(numerator / denominator)} to ${target}, whose answer is ignored`),
    ),
    ...(outcome.retryConstraint ? [more("retries", retryBudgetText(outcome.retryConstraint))] : []),
    ...sessionLines(outcome.endpoints),
    more("endpoints", countText(outcome.endpoints)),
    ...endpointLines(outcome.endpoints),
  ];
};

/** What a rule makes another of a request. */
const requestChanges = (before: ExplainedRequest, after: ExplainedRequest): readonly string[] => [
  ...(before.target === after.target ? [] : [`path ${after.target}`]),
  ...(before.authority === after.authority ? [] : [`host ${after.authority}`]),
  ...headerChanges(before.fields, after.fields),
];

const responseLines = (filters: readonly RouteFilter[]): readonly string[] =>
  filters.flatMap((filter) => {
    if (filter.kind === "response-header-modifier") return [more("answer", headerModifierText(filter).join(", "))];
    return filter.kind === "cors" ? [more("answer", "headers of CORS for allowed origins")] : [];
  });

const retryBudgetText = ({ percent, intervalMs, minRetries, minRetriesIntervalMs }: RetryConstraint): string =>
  `at most ${percent} % of what the Service gets within ${formatDuration(intervalMs)}, and ${minRetries} each ${formatDuration(minRetriesIntervalMs)} in any case`;

const sessionLines = ({ session }: ExplainedEndpoints): readonly string[] => {
  if (!session) return [];
  const { persistence, endpoint } = session;
  const by = `by ${persistence.kind}${persistence.name === undefined ? "" : ` ${persistence.name}`}`;
  return [
    more("session", endpoint === undefined ? `kept ${by}; begins with this request` : `kept ${by}, at ${endpoint}`),
  ];
};

const percent = (share: number): string => `${Number((share * 100).toFixed(share < 0.01 ? 3 : 1))} %`;

const countText = ({ eligible, total, problem }: ExplainedEndpoints): string => {
  if (problem !== undefined) return bad(`none, as ${problem}: answered with 503`);
  const all = eligible === 1 ? "1" : `${eligible}, in turn`;
  return eligible === total ? all : `${all}; ${total - eligible} left out`;
};

const endpointLines = ({ listed, total }: ExplainedEndpoints): readonly string[] => {
  const rows = listed.slice(0, MAX_ENDPOINTS).map(endpointRow);
  const left = total - rows.length;
  return [...indented(table(rows)), ...(left > 0 ? [dim(`  and ${left} more (-o json)`)] : [])];
};

const endpointRow = ({ workload, node, address, excluded, way, verdict }: ExplainedEndpoint): readonly string[] => {
  const pod = `${workload.namespace}/${workload.name}`;
  if (excluded !== undefined) return [dim("-"), pod, node, doubtful(`left out: ${excluded}`), ""];
  const how = way === undefined || way.kind === "plaintext" ? doubtful("in clear") : wayText(way);
  return [address ?? "-", pod, node, how, verdict ? verdictText(verdict) : ""];
};

const wayText = (way: Exclude<NonNullable<ExplainedEndpoint["way"]>, { kind: "plaintext" }>): string =>
  way.kind === "tunnel" ? `tunnel, as ${way.identity}` : `TLS, as ${way.hostname}`;

const verdictText = (verdict: ExplainedVerdict): string => {
  switch (verdict.kind) {
    case "allowed":
      if (verdict.policy !== undefined) return good(`allowed by ${verdict.policy}`);
      return good("allowed") + dim(verdict.policies.length === 0 ? " (no policy)" : " (no policy is against it)");
    case "denied":
      return bad(`refused: ${verdict.message}`);
    case "unguarded":
      return dim("not in the mesh, nobody judges");
    default:
      return assertNever(verdict);
  }
};

const indented = (text: string): readonly string[] => (text === "" ? [] : text.split("\n").map((each) => `  ${each}`));
