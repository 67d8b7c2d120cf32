/**
 * The client of the mesh conformance tests, in a pod. Each line of its input is a JSON list of requests (request.ts), all of
 * them sent at once or a few at a time; each line of its output the list of their answers, in the same order.
 */
import { createInterface } from "node:readline";
import { type Agents, agents, send } from "./send-request.ts";
import type { Answer, Batch } from "./request.ts";

const run = async ({ requests, atOnce = 20 }: Batch): Promise<readonly Answer[]> => {
  const wanted = requests.flatMap((request) => Array.from({ length: request.count ?? 1 }, () => request));
  const answers: Answer[] = [];
  let next = 0;
  const own: Agents = agents();
  const worker = async (): Promise<void> => {
    for (let index = next++; index < wanted.length; index = next++) {
      const request = wanted[index];
      if (request) answers[index] = await send(request, own);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, wanted.length) }, worker));
  own.close();
  return answers;
};

for await (const line of createInterface(process.stdin)) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as Batch))}\n`);
}
process.exit(0);
