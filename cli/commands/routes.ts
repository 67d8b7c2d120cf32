import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { RouteTraffic } from "#mesh/admin/route-traffic.ts";
import type { RoutesDump } from "#mesh/admin/routes-dump.ts";
import { commandLine } from "#local/command-line.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { findingsText } from "../findings-text.ts";
import type { Finding } from "../diagnosis.ts";
import { type ChosenMesh, chooseMesh } from "../mesh-choice.ts";
import { type OutputFormat, outputOption, printJson, printText } from "../output/output-format.ts";
import { parseServiceName, type PodName } from "../pod-name.ts";
import { isAboutService, routeFindings } from "../routes/route-findings.ts";
import { routeRows } from "../routes/route-rows.ts";
import { routesTables } from "../routes/routes-table.ts";
import { sumTraffic, type TrafficSum, trafficSince } from "../routes/traffic-sum.ts";
import { wholeNumber } from "../up-options.ts";
import { fetchStatus } from "./status.ts";

interface RoutesOptions {
  readonly name?: string;
  readonly during?: number;
  readonly output: OutputFormat;
}

const MAX_SECONDS = 3_600;

const EXAMPLES = `
Examples:
  heddle routes                      what holds at the ports of all Services, and what came of it
  heddle routes shop/web             of one Service
  heddle routes shop/web --during 10 only requests of the next ten seconds, as after a change of weights
  heddle routes -o json

WEIGHT is what the route wants, SHARE what the backend really got of the rule's requests, as the callers' proxies have counted
them since they started. SUCCESS is what was not answered with 5xx, or with a status of gRPC for which the server is to blame. P50 and P99
are estimated from buckets. MATCHES: /cart/* is a prefix, /cart that path alone, ~ a pattern.

Exit codes:
  0  all is well      3  a route is not as it is wanted      4  no such mesh is up`;

export const addRoutesCommand = (program: Command): void => {
  program
    .command("routes")
    .description("show which routes hold where, how requests are split, and what became of them")
    .argument("[service]", "namespace and name of a Service, as in shop/web")
    .option("--during <seconds>", "count for so long, instead of from the start", wholeNumber(MAX_SECONDS))
    .option("--name <name>", "which mesh, if several are up")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(routes);
};

const routes = async (service: string | undefined, options: RoutesOptions): Promise<void> => {
  const only = service === undefined ? undefined : parseServiceName(service);
  const mesh = await chooseMesh(options.name);
  const counted = await countTraffic(mesh, options.during);
  const dump = await fetchRoutes(mesh, only);
  await mesh.client.close();
  const rows = routeRows(dump.ports, counted.traffic, counted.bounds);
  const findings = [...routeFindings(dump.objects), ...counted.findings];
  if (options.output === "json") {
    printJson({ routes: rows, findings });
  } else {
    const where = only ? ` at Service ${only.namespace}/${only.name}` : "";
    printText(rows.length === 0 ? `No route holds${where}: requests go to the endpoints in turn.` : routesTables(rows));
    if (findings.length > 0) printText(`\n${findingsText(findings)}`);
  }
  if (findings.some(({ severity }) => severity === "problem")) process.exitCode = EXIT.unwell;
};

/** @throws CliFailure if the control plane does not answer */
const fetchRoutes = async ({ name, client }: ChosenMesh, only: PodName | undefined): Promise<RoutesDump> => {
  const answer = await client.json<RoutesDump>("/control-plane/routes");
  if (!answer.ok) {
    const hint = commandLine(name, "logs", "--control-plane");
    throw new CliFailure(`the control plane of mesh ${name}: ${answer.error}`, { hint });
  }
  if (!only) return answer.value;
  const { ports, objects } = answer.value;
  return {
    ports: ports.filter((port) => port.namespace === only.namespace && port.name === only.name),
    objects: objects.filter((object) => isAboutService(object, only.namespace, only.name)),
  };
};

interface CountedTraffic {
  readonly traffic: TrafficSum;
  readonly bounds: readonly number[];
  /** Which nodes did not say what they counted. */
  readonly findings: readonly Finding[];
}

const countTraffic = async (mesh: ChosenMesh, seconds: number | undefined): Promise<CountedTraffic> => {
  const { nodes } = await fetchStatus(mesh);
  const names = nodes.map(({ name }) => name);
  const before = seconds === undefined ? undefined : await askNodes(mesh, names);
  if (seconds !== undefined) await delay(seconds * 1_000);
  const now = await askNodes(mesh, names);
  return before ? { ...now, traffic: trafficSince(before.traffic, now.traffic) } : now;
};

const askNodes = async ({ client }: ChosenMesh, nodes: readonly string[]): Promise<CountedTraffic> => {
  const answers = await Promise.all(
    nodes.map(async (node) => ({ node, answer: await client.json<RouteTraffic>(`/nodes/${node}/route-traffic`) })),
  );
  const told = answers.flatMap(({ answer }) => (answer.ok ? [answer.value] : []));
  return {
    traffic: sumTraffic(told),
    bounds: told[0]?.bounds ?? [],
    findings: answers.flatMap(({ node, answer }): readonly Finding[] =>
      answer.ok
        ? []
        : [{ severity: "problem", about: node, text: `requests of its pods are not counted in: ${answer.error}` }],
    ),
  };
};
