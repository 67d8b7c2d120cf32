import { defineConfig } from "vitest/config";

/** Making namespaces, starting processes and waiting for them takes seconds on a small machine, and `heddle up` gives up after 60. */
const SCENARIO_TIMEOUT_MS = 120_000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: ["**/*.scenario.test.ts", "**/node_modules/**"],
        },
      },
      {
        test: {
          name: "scenario",
          include: ["**/*.scenario.test.ts"],
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: SCENARIO_TIMEOUT_MS,
          hookTimeout: SCENARIO_TIMEOUT_MS,
        },
      },
    ],
  },
});
