import { type Command, InvalidArgumentError, Option } from "commander";
import type { RequestExplanation, RequestQuestion } from "#mesh/admin/request-explanation.ts";
import type { HeaderValue } from "#mesh/routes/route.ts";
import { commandLine } from "#local/command-line.ts";
import { CliFailure } from "../failure.ts";
import { explanationText } from "../explanation-text.ts";
import { type ChosenMesh, chooseMesh } from "../mesh-choice.ts";
import { type OutputFormat, outputOption, printJson, printText } from "../output/output-format.ts";
import { parsePodName, type PodName } from "../pod-name.ts";
import { fetchStatus } from "./status.ts";

interface ExplainOptions {
  readonly name?: string;
  readonly from: string;
  readonly to: string;
  readonly method?: string;
  readonly header: readonly HeaderValue[];
  readonly output: OutputFormat;
}

const EXAMPLES = `
Examples:
  heddle explain request --from shop/client --to http://web/
  heddle explain request --from shop/client --to http://web.shop:8080/cart?id=1 -X POST -H 'x-user: beta'
  heddle explain request --from shop/client --to grpc://greeter:9000/helloworld.Greeter/SayHello
  heddle explain request --from shop/client --to http://web/ -o json

It is decided by the code that serves traffic, from what the pod's node has at this moment. Nothing is sent.`;

export const addExplainCommand = (program: Command): void => {
  const explain = program.command("explain").description("say what would become of something, and why");
  explain
    .command("request")
    .description("say what would become of a request: its route, backends, endpoints, and who lets it in")
    .requiredOption("--from <pod>", "the pod that sends it, as in shop/client")
    .requiredOption("--to <url>", "http://, https://, h2c:// or grpc://, with a Service's name or an address")
    .option("-X, --method <method>", "GET by default, and POST for grpc://")
    .addOption(
      new Option("-H, --header <header>", "'name: value'; may be there again").argParser(addHeader).default([], "none"),
    )
    .option("--name <name>", "which mesh, if several are up")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(explainRequest);
};

const explainRequest = async (options: ExplainOptions): Promise<void> => {
  const from = parsePodName(options.from);
  const mesh = await chooseMesh(options.name);
  const node = await nodeOf(mesh, from);
  const question: RequestQuestion = { from, url: options.to, method: options.method, headers: options.header };
  const answer = await mesh.client.json<RequestExplanation>(`/nodes/${node}/explain/request`, {
    method: "POST",
    body: question,
  });
  await mesh.client.close();
  if (!answer.ok)
    throw new CliFailure(`it cannot be explained: ${answer.error}`, { hint: "heddle explain request --help" });
  if (options.output === "json") printJson(answer.value);
  else printText(explanationText(answer.value));
};

/** Where a pod runs. @throws CliFailure if it is nowhere */
const nodeOf = async (mesh: ChosenMesh, { namespace, name }: PodName): Promise<string> => {
  const { pods } = await fetchStatus(mesh);
  const pod = pods.find((each) => each.namespace === namespace && each.name === name);
  if (pod?.node !== undefined) return pod.node;
  const hint = commandLine(mesh.name, "status");
  throw new CliFailure(pod ? `${namespace}/${name} is on no node yet` : `there is no pod ${namespace}/${name}`, {
    hint,
  });
};

const addHeader = (text: string, headers: readonly HeaderValue[]): readonly HeaderValue[] => {
  const [, name, value = ""] = /^([^:\s]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("a header is written as 'name: value'");
  return [...headers, { name, value }];
};
