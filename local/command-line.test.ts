import { expect, test } from "vitest";
import { commandLine, DEFAULT_MESH } from "./command-line.ts";

test("a command line names the mesh where it is not the usual one", () => {
  expect(commandLine(DEFAULT_MESH, "logs", "--node", "node-1")).toBe("heddle logs --node node-1");
  expect(commandLine("blue", "logs", "--node", "node-1")).toBe("heddle logs --name blue --node node-1");
});
