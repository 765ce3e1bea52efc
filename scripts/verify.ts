// `npm run verify`: everything that must hold before a change lands, in the order that fails fastest.
import { spawnSync } from "node:child_process";

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["format and lint", "biome", "ci", "--colors=off", "--error-on-warnings", "."],
  ["boundaries", "turbo", "boundaries"],
  ["generated code", "turbo", "run", "generate", "--output-logs=errors-only"],
  [
    "generated code is committed",
    "sh",
    "-c",
    'changed=$(git status --porcelain -- "*/src/gen/*") && printf %s "$changed" && test -z "$changed"',
  ],
  ["types of what ships", "tsc", "-b"],
  ["types of tests and scripts", "tsc", "-p", "tests"],
  ["a nats-server for the tests", process.execPath, "scripts/ensure-nats-server.ts"],
  ["a device for the tests", process.execPath, "scripts/ensure-vulkan-driver.ts"],
  ["tests", "vitest", "run"],
];

for (const [name, command, ...args] of steps) {
  const startedMs = performance.now();
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (status === 0) process.stdout.write(`✓ ${name} (${seconds} s)\n`);
  else {
    process.stderr.write(`✗ ${name} failed (${error?.message ?? `exit status ${status}`})\n`);
    process.exit(1);
  }
}
