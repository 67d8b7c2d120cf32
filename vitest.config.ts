import { defineConfig } from "vitest/config";

/** Making namespaces, starting processes and waiting for them takes seconds on a small machine, and `heddle up` gives up after 60. */
const SCENARIO_TIMEOUT_MS = 120_000;

/** Load, crashes and upgrades again and again: minutes for each. */
const LONG_TIMEOUT_MS = 900_000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: ["**/*.scenario.test.ts", "**/*.long.test.ts", "**/node_modules/**"],
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
      {
        test: {
          name: "long",
          include: ["**/*.long.test.ts"],
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: LONG_TIMEOUT_MS,
          hookTimeout: LONG_TIMEOUT_MS,
        },
      },
    ],
  },
});
