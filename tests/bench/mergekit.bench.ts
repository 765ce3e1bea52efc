// Merges 1.1B-parameter Llama-shaped checkpoints with mergekit and with amalgam, in turn, in one run on one machine, and prints
// wall time, CPU time and peak memory, their ratios, and the floor: reading all inputs once and writing and syncing the output once.
//   npx node tests/bench/mergekit.bench.ts DIRECTORY [--methods linear,ties] [--runs 3] [--python PYTHON] [--ours]
// DIRECTORY keeps the checkpoints (8.8 GB) and a virtual environment with mergekit from PyPI between runs. --python names the
// interpreter of another environment that has mergekit; --ours leaves mergekit out.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { BENCH_RECIPES, type BenchRecipe } from "./mergekit-recipes.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    methods: { type: "string", default: "passthrough,linear,slerp,task_arithmetic,ties,dare_ties" },
    runs: { type: "string", default: "1" },
    python: { type: "string" },
    ours: { type: "boolean", default: false },
  },
});
const [given] = positionals;
if (given === undefined) throw new Error("usage: npx node tests/bench/mergekit.bench.ts DIRECTORY [options]");
const directory = resolve(given);
const models = join(directory, "models");
const out = join(directory, "out");
const main = join(import.meta.dirname, "../../cli/src/main.ts");

interface Usage {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakMiB: number;
}

/** Runs a command under a small Python program, because Node does not tell what its children used. */
function measure(command: readonly string[]): Usage {
  const program = `
import json, resource, subprocess, sys, time
started = time.monotonic()
done = subprocess.run(sys.argv[1:], cwd=${JSON.stringify(directory)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
wall = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
if done.returncode:
    sys.stderr.buffer.write(done.stdout[-4000:])
    sys.exit(1)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))`;
  const { status, stdout, stderr } = spawnSync("python3", ["-c", program, ...command], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command.join(" ")} failed:\n${stderr}`);
  const [wallS, cpuS, peakMiB] = JSON.parse(stdout) as [number, number, number];
  return { wallS, cpuS, peakMiB };
}

const SETTLE_MS = 4000;
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const medianOf = (usages: readonly Usage[]): Usage => ({
  wallS: median(usages.map(({ wallS }) => wallS)),
  cpuS: median(usages.map(({ cpuS }) => cpuS)),
  peakMiB: Math.max(...usages.map(({ peakMiB }) => peakMiB)),
});

function findPython(): string {
  if (options.python !== undefined) return options.python;
  const python = join(directory, "venv/bin/python");
  if (!existsSync(python)) {
    execFileSync("python3", ["-m", "venv", join(directory, "venv")]);
    execFileSync(python, ["-m", "pip", "install", "--quiet", "mergekit"], { stdio: "inherit" });
  }
  return python;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function machine(python: string | undefined): string {
  const version = (code: string): string => execFileSync(python!, ["-c", code], { encoding: "utf8" }).trim();
  const theirs =
    python === undefined
      ? ""
      : `; mergekit ${version("from importlib.metadata import version; print(version('mergekit'))")}` +
        `, torch ${version("from importlib.metadata import version; print(version('torch'))")}`;
  const cores = `${availableParallelism()} cores (${cpus()[0]?.model.trim()})`;
  return `${new Date().toISOString().slice(0, 10)}; ${cores}, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}${theirs}`;
}

function run(recipe: BenchRecipe, python: string | undefined): void {
  const file = join(directory, `${recipe.name}.yaml`);
  writeFileSync(file, recipe.yaml);
  const inputs = recipe.inputs.map((name) => join(models, name));
  const floor: Usage[] = [];
  const ours: Usage[] = [];
  const theirs: Usage[] = [];
  // A virtual machine gives freed memory back to its host after a while, and pays when it is used again: every command begins alike.
  const clean = (): void => {
    rmSync(out, { recursive: true, force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SETTLE_MS);
  };
  // Node, started directly: npx would be measured too.
  const node = process.execPath;
  for (let i = 0; i < Number(options.runs); i++) {
    clean();
    floor.push(measure([node, join(import.meta.dirname, "floor.ts"), join(directory, "floor.bin"), ...inputs]));
    if (python !== undefined) {
      // The same entry point as mergekit-yaml, without relying on where its script is.
      const start = "import sys; from mergekit.scripts.run_yaml import main; sys.exit(main())";
      // Its model card asks the Hub about every path with one slash, and fails without a network.
      theirs.push(measure([python, "-c", start, file, out, "--random-seed", "7", "--no-write-model-card"]));
    }
    clean();
    ours.push(measure([node, main, "merge", file, out]));
    rmSync(out, { recursive: true, force: true });
  }
  const a = medianOf(ours);
  const f = medianOf(floor);
  const columns = [
    recipe.name.padEnd(17),
    ...[f.wallS, a.wallS, a.cpuS].map((s) => s.toFixed(1).padStart(8)),
    a.peakMiB.toFixed(0).padStart(8),
    (a.wallS / f.wallS).toFixed(2).padStart(8),
  ];
  if (theirs.length > 0) {
    const m = medianOf(theirs);
    columns.push(
      ...[m.wallS, m.cpuS].map((s) => s.toFixed(1).padStart(8)),
      m.peakMiB.toFixed(0).padStart(8),
      ...[m.wallS / a.wallS, m.cpuS / a.cpuS, m.peakMiB / a.peakMiB].map((x) => x.toFixed(1).padStart(8)),
    );
  }
  say(columns.join(" "));
}

mkdirSync(directory, { recursive: true });
if (!existsSync(models)) {
  const script = join(import.meta.dirname, "make-checkpoints.ts");
  execFileSync(process.execPath, [script, models], { stdio: "inherit" });
}
const python = options.ours ? undefined : findPython();
const wanted = options.methods === "all" ? Object.keys(BENCH_RECIPES) : options.methods.split(",");
const unknown = wanted.filter((name) => !(name in BENCH_RECIPES));
if (unknown.length > 0) throw new Error(`no such method: ${unknown.join(", ")}`);
say(machine(python));
say("seconds, seconds of CPU (user and system), MiB; medians, peaks of all runs");
const ownColumns = "method               floor     wall      cpu     peak  x floor";
say(`${ownColumns}${python === undefined ? "" : "  mk wall   mk cpu  mk peak   x wall    x cpu   x peak"}`);
for (const name of wanted) run({ name, ...BENCH_RECIPES[name]! }, python);
