import { defineConfig } from "vitest/config";
import { softwareVulkan } from "./scripts/software-vulkan.ts";

// Before the processes of the tests start: the loader looks at its variables then.
Object.assign(process.env, softwareVulkan(process.env));

const packages = [
  "checkpoint",
  "kernels",
  "devices",
  "optimizer",
  "runtime",
  "coordinator",
  "shard-worker",
  "evaluator",
  "cli",
];

export default defineConfig({
  test: {
    // Two cores are the smallest machine that must pass; more files at once only slows each of them.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      ...packages.map((name) => ({ extends: true as const, test: { name, include: [`${name}/src/**/*.test.ts`] } })),
      { extends: true as const, test: { name: "examples", include: ["examples/**/*.test.ts"] } },
      { extends: true as const, test: { name: "tests", include: ["tests/**/*.test.ts"], testTimeout: 180_000 } },
    ],
  },
});
