import { spawn } from "node:child_process";
import type { ServerResponse } from "node:http";
import { namespacePath } from "../network/namespace-path.ts";
import { RUN } from "../run-layout.ts";

/** Streams the frames on a node's uplink as a pcap file, until the client goes. */
export const streamCapture = (node: string, response: ServerResponse): void => {
  const program = [`${RUN.program}/bin/node`, `${RUN.program}/local/capture/main.ts`, "eth0"];
  const child = spawn("nsenter", [`--net=${namespacePath(node)}`, ...program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  response.writeHead(200, { "content-type": "application/vnd.tcpdump.pcap" });
  response.flushHeaders();
  child.stdout.pipe(response);
  child.on("error", (error) => response.destroy(error));
  response.on("close", () => child.kill("SIGKILL"));
};
