#!/usr/bin/env node
// The `amalgam` command: names the commands and their options, and loads the code of the one that is asked for.
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { AUTO, BACKENDS, isBackend, WASM } from "@amalgam/devices/names";
import { VERSION } from "@amalgam/runtime/version";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { CommandContext } from "./context.ts";

// Half of the start is stripping types and compiling: once, not every time. Nobody but the user can write there; threads and child
// processes learn of it by the variable.
const { directory } = enableCompileCache(
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "amalgam/node"),
);
if (directory !== undefined) process.env["NODE_COMPILE_CACHE"] ??= directory;

const bytes = (text: string): number => {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|KB|MB|GB)?$/i.exec(text.trim());
  if (match === null) throw new InvalidArgumentError("write a size such as 512MiB or 2GB");
  const powers: Record<string, number> = { b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, kb: 1e3, mb: 1e6, gb: 1e9 };
  return Math.round(Number(match[1]) * powers[(match[2] ?? "B").toLowerCase()]!);
};
const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("write a whole number from 1 up");
  return value;
};

const EXAMPLES = `
Examples:
  amalgam search examples/quickstart/recipe.yaml out/quickstart
  amalgam plan recipe.yaml
  amalgam eval out/quickstart --task examples/quickstart/tasks/section.yaml

Exit status: 0 done, 64 wrong usage, 65 bad input or settings (also a task, or a
model of a recipe, that is not there), 66 other input missing, 69 a peer is out of
reach, 70 a bug, 73 the output is taken, 74 input/output error or a full disk, 75 try
again, 77 no permission, 78 wrong setup (such as an address in use), 129 terminal
closed, 130 Ctrl-C, 141 output no longer read, 143 terminated.`;

const HERE = "On this machine:";
const ROLES = "Roles of a cluster:";
const JOBS = "Jobs of a cluster:";

const program = new Command("amalgam")
  .description("Merges fine-tuned checkpoints of one base model, and finds the merge coefficients by itself.")
  .addHelpText("after", EXAMPLES)
  .version(VERSION)
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "amalgam: ")) })
  .showHelpAfterError("(amalgam --help lists the commands)")
  .showSuggestionAfterError()
  .exitOverride()
  .commandsGroup(HERE)
  .addHelpCommand(new Command("help").argument("[command]").description("show what a command does").helpGroup(HERE));

const json = (): Option => new Option("--json", "print JSON, for programs");
const logLevel = (fallback: string): Option =>
  new Option("--log-level <level>", "what the log on stderr shows")
    .env("AMALGAM_LOG_LEVEL")
    .choices(["debug", "info", "warn", "error", "silent"])
    .default(fallback);
const method = (): Option =>
  new Option(
    "--method <file>",
    "load a merge method of your own; it runs as code, so know the file (repeatable; env: AMALGAM_METHODS, separated as in PATH)",
  ).argParser((file: string, files: readonly string[] = []) => [...files, file]);
const backendName = (text: string): string => {
  if (text !== AUTO && !isBackend(text)) throw new InvalidArgumentError(`it ${BACKENDS}, or auto`);
  return text;
};
/** The role reads its own variable, with its other settings. */
const backend = (help: string): Option => new Option("--backend <name>", help).argParser(backendName);
const BACKEND_HELP = "what merges: wasm, webgpu, onnx:PROVIDER, or auto, the fastest with the bytes of wasm";
const address = (): Option =>
  new Option("--coordinator <host:port>", "address of the coordinator")
    .env("AMALGAM_COORDINATOR_ADDRESS")
    .default("127.0.0.1:7070");

/** Loads a command's module and runs it; errors become one message and an exit status. */
function action<A extends unknown[]>(
  load: () => Promise<{ run: (context: CommandContext, ...args: A) => Promise<void> }>,
  role?: string,
): (...args: A) => Promise<void> {
  return async (...args) => {
    const { runCommand } = await import("./context.ts");
    // Commander passes the options before the command itself, last.
    const options = args.at(-2) as { json?: boolean; logLevel?: string; method?: readonly string[] };
    await runCommand({ ...options, ...(role === undefined ? {} : { role }) }, async (context) =>
      (await load()).run(context, ...args),
    );
  };
}

/** Keeps the text: an expression is compiled where it is used. */
const repeatedPattern = (text: string, patterns: readonly string[] = []): readonly string[] => {
  try {
    new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return [...patterns, text];
};
const seedNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("write a whole number from 0 up");
  return value;
};

const mergekitArithmetic = (): Option =>
  new Option("--mergekit-arithmetic", "compute as mergekit does, as `arithmetic: mergekit` in the recipe");
const randomSeed = (): Option => new Option("--random-seed <n>", "as `seed` in the recipe").argParser(seedNumber);

const onThisMachine = (command: Command): Command =>
  command
    .option("--overwrite", "replace an earlier output of Amalgam")
    .option("--threads <n>", "compute threads (default: all cores)", count)
    .option(
      "--memory <size>",
      "memory for shards, which are cut to fit it (default: 174 MiB a thread; to search, and for remote inputs, half of this machine's)",
      bytes,
    )
    .option("--shard-bytes <size>", "input bytes per shard (default: by the size of the models)", bytes)
    .option("--digest-inputs", "record the sha256 of every input file in the manifest (reads all of them once more)")
    .option("--processes <n>", "run a coordinator, n workers, an evaluator and NATS as processes", count);

const allowCommands = (note = ""): Option =>
  new Option(
    "--allow-commands",
    `let tasks run the commands they name, with your rights; only for task files that you trust${note}`,
  );
const ownGraph = (): Option =>
  new Option("--graph <file>", "ONNX file that runs the model in place of the graph that its config describes");
const provider = (): Option =>
  new Option("--provider <name>", "onnxruntime's execution provider that scores models: cpu, webgpu, cuda, ...").env(
    "AMALGAM_PROVIDER",
  );

const localJob = (command: Command): Command =>
  onThisMachine(
    command
      .argument("<recipe>", "YAML file; a recipe of mergekit is one")
      .argument("<out>", "directory of the merged model; appears when it is complete")
      .option("--stages <dir>", "keep what the recipe's earlier stages make here (default: removed when all is done)"),
  )
    .addOption(mergekitArithmetic())
    .addOption(randomSeed())
    .addOption(method())
    .addOption(backend(BACKEND_HELP).env("AMALGAM_BACKEND").default(WASM))
    .addOption(provider().default("cpu"))
    .addOption(json())
    .addOption(logLevel("error"));

localJob(program.command("merge").description("merge once, with the recipe's parameters")).action(
  action(() => import("./commands/merge.ts")),
);
localJob(program.command("search").description("search the coefficients, write the best model and a report"))
  .addOption(allowCommands())
  .action(action(() => import("./commands/search.ts")));
onThisMachine(
  program
    .command("materialize")
    .description("make the model of one task of an artefact (of the methods emr and tall_masks)")
    .argument("<artefact>", "directory that a merge has written")
    .requiredOption("--task <name>", "the task: a model of the merge, by its name")
    .requiredOption("--base <model>", "directory of the base model that the artefact was made from")
    .requiredOption("-o, --out <directory>", "directory of the model; appears when it is complete"),
)
  .addOption(json())
  .addOption(logLevel("error"))
  .action(action(() => import("./commands/materialize.ts")));
program
  .command("plan")
  .description("say what a recipe would do: passes, bytes, memory, time, and every problem; writes nothing")
  .argument("<recipe>", "YAML file")
  .addOption(mergekitArithmetic())
  .addOption(randomSeed())
  .option("--shard-bytes <size>", "input bytes per shard (default: by the size of the models)", bytes)
  .addOption(method())
  .addOption(json())
  .action(action(() => import("./commands/plan.ts")));
program
  .command("devices")
  .description("back-ends of this machine, how fast they merge, and which one auto takes")
  .option("--threads <n>", "compute threads (default: all cores)", count)
  .addOption(json())
  .action(action(() => import("./commands/devices.ts")));
program
  .command("eval")
  .description("score one checkpoint on tasks")
  .argument("<model>", "checkpoint: a directory, a model of the Hub (org/name), or a URL")
  .requiredOption("--task <file...>", "task YAML, one or several")
  .option("--split <name>", "split to score", "test")
  .addOption(ownGraph())
  .option("--threads <n>", "compute threads (default: all cores)", count)
  .addOption(provider().default("cpu"))
  .option("--items-out <file>", "also write what every item brought, as JSON")
  .option("--logits <file>", "also write every item's logits, as JSON (classification)")
  .addOption(allowCommands())
  .addOption(json())
  .action(action(() => import("./commands/eval.ts")));
program
  .command("fisher")
  .description("estimate a checkpoint's diagonal Fisher information on a task, for merges that weigh by it")
  .argument("<model>", "checkpoint: a directory, a model of the Hub (org/name), or a URL")
  .option("--task <file>", "task YAML")
  .option(
    "--data <file>",
    "JSON lines in place of the task's; without --task their labels are those of the model's config.json",
  )
  .option("--split <name>", "split to draw items from", "validation")
  .option("--items <n>", "items drawn, without replacement; all if there are fewer", count, 512)
  .addOption(
    new Option(
      "--estimator <name>",
      "exact: expectation over all answers; sampled: one drawn answer; empirical: the right one (default: exact; sampled where answers are texts)",
    ).choices(["exact", "sampled", "empirical"]),
  )
  .addOption(
    new Option("--seed <n>", "which items, and with `sampled` which answers, are drawn")
      .argParser(seedNumber)
      .default(0),
  )
  .option("--tensors <pattern>", "only tensors whose name the regular expression finds (repeatable)", repeatedPattern)
  .addOption(new Option("--dtype <name>", "what the file holds").choices(["f32", "bf16"]).default("f32"))
  .option(
    "-o, --out <path>",
    "file (.safetensors) or folder to write (default: fisher.safetensors in the model's folder)",
  )
  .option("--overwrite", "replace the file if it is there")
  .addOption(ownGraph())
  .option("--threads <n>", "compute threads (default: all cores)", count)
  .option("--memory <size>", "memory for weights and sums (default: half of this machine's)", bytes)
  .addOption(provider().default("cpu"))
  .addOption(json())
  .action(action(() => import("./commands/fisher.ts")));
program
  .command("inspect")
  .description("what is in a checkpoint")
  .argument("<model>", "checkpoint: a directory, a .safetensors file, a model of the Hub (org/name), or a URL")
  .option("--tensors", "list every tensor")
  .addOption(json())
  .action(action(() => import("./commands/inspect.ts")));
program
  .command("verify")
  .description("read a merged model and compare it with its manifest")
  .argument("<out>", "directory that amalgam wrote")
  .addOption(json())
  .action(action(() => import("./commands/verify.ts")));
program
  .command("diff")
  .description("how far two checkpoints are apart, layer by layer")
  .argument("<a>", "checkpoint: a directory, a .safetensors file, a model of the Hub (org/name), or a URL")
  .argument("<b>", "what is compared with it")
  .option("--tensors", "list every tensor")
  .addOption(json())
  .action(action(() => import("./commands/diff.ts")));

const study = program.command("study").description("what a search has learned, in short or for other programs");
const studyOf = (command: Command): Command =>
  command
    .argument("<search>", "output directory of a search, its search.json, or the id of a coordinator's job")
    .addOption(address());
studyOf(study.command("show").description("leaders with their chances, importance, what is left to gain"))
  .addOption(json())
  .action(action(async () => ({ run: (await import("./commands/study.ts")).show })));
studyOf(study.command("export").description("print the study: another search can start from it"))
  .addOption(
    new Option("--format <format>", "jsonl: its events, one a line; optuna: trials for Optuna, as JSON")
      .choices(["jsonl", "optuna"])
      .default("jsonl"),
  )
  .action(action(async () => ({ run: (await import("./commands/study.ts")).exportStudy })));

program.commandsGroup(ROLES);
const roleOptions = (command: Command): Command =>
  command
    .option("--ops <host:port>", "serve /metrics, /healthz and /readyz here (env: AMALGAM_OPS)")
    .option("--config <file>", "JSON file of settings; AMALGAM_ variables win over it, options over both")
    .addOption(json())
    .addOption(logLevel("info"));
const insecure = (): Option =>
  new Option(
    "--insecure",
    "allow addresses other than loopback although nothing is encrypted yet (env: AMALGAM_INSECURE)",
  );
// Their variables are read with the settings, not by commander: empty text counts as absent, and "false" is no yes.
const natsOption = (): Option =>
  new Option("--nats <url>", "NATS server (default: nats://127.0.0.1:4222, env: AMALGAM_NATS_URL)");

roleOptions(
  program.command("coordinator").description("run a coordinator: plans jobs, leases shards, keeps the journal"),
)
  .option("--listen <host:port>", "serve gRPC here (default: 127.0.0.1:7070, env: AMALGAM_LISTEN)")
  .option(
    "--advertise <host:port>",
    "address that evaluators reach it by (default: where it listens, env: AMALGAM_ADVERTISE)",
  )
  .option("--state <directory>", "directory of the journal (default: ./amalgam-state, env: AMALGAM_STATE_DIRECTORY)")
  .option(
    "--lease-ms <n>",
    "a worker that is silent for this long loses its leases (default: 15000, env: AMALGAM_LEASE_MS)",
    count,
  )
  .addOption(insecure())
  .addOption(natsOption())
  .addOption(method())
  .action(action(() => import("./commands/coordinator.ts"), "coordinator"));
roleOptions(program.command("worker").description("run a shard worker: merges the shards it is leased"))
  .option(
    "--coordinator <host:port>",
    "address of the coordinator (default: 127.0.0.1:7070, env: AMALGAM_COORDINATOR_ADDRESS)",
  )
  .addOption(insecure())
  .option("--listen <host:port>", "serve merged shards here (default: 127.0.0.1, a free port, env: AMALGAM_LISTEN)")
  .option(
    "--advertise <host:port>",
    "address that others reach it by (default: where it listens, env: AMALGAM_ADVERTISE)",
  )
  .option("--id <name>", "unique name (default: host and process, env: AMALGAM_ID)")
  .option("--threads <n>", "compute threads (default: all cores, env: AMALGAM_THREADS)", count)
  .option("--memory <size>", "memory for shards (default: half of this machine's, env: AMALGAM_MEMORY_BYTES)", bytes)
  .addOption(
    new Option("--storage <mode>", "how inputs and outputs are reached (default: auto, env: AMALGAM_STORAGE)").choices([
      "auto",
      "direct",
      "stream",
    ]),
  )
  .addOption(method())
  .addOption(backend(`${BACKEND_HELP} (default: wasm, env: AMALGAM_BACKEND)`))
  .action(action(() => import("./commands/worker.ts"), "worker"));
roleOptions(program.command("evaluator").description("run an evaluator: scores candidates"))
  .option("--id <name>", "unique name (default: host and process, env: AMALGAM_ID)")
  .option("--threads <n>", "compute threads (default: all cores, env: AMALGAM_THREADS)", count)
  .addOption(provider())
  .addOption(allowCommands(" (env: AMALGAM_ALLOW_COMMANDS)"))
  .option("--slots <n>", "evaluations under way at a time (default: 2, env: AMALGAM_SLOTS)", count)
  .addOption(natsOption())
  .addOption(insecure())
  .option(
    "--listen <host:port>",
    "serve estimates of importance here (default: 127.0.0.1, a free port, env: AMALGAM_LISTEN)",
  )
  .option(
    "--advertise <host:port>",
    "address that shard workers reach it by (default: where it listens, env: AMALGAM_ADVERTISE)",
  )
  .addHelpText(
    "after",
    "\nAMALGAM_CACHE_BYTES: bytes of merged shards kept between evaluations (default: 1073741824)\nAMALGAM_ESTIMATE_BYTES: bytes of estimates kept for later candidates (default: 1073741824)\nAMALGAM_ALLOW_COMMANDS: true for --allow-commands",
  )
  .action(action(() => import("./commands/evaluator.ts"), "evaluator"));

program.commandsGroup(JOBS);
program
  .command("submit")
  .description("hand a job to a coordinator; paths are paths of its storage")
  .argument("<recipe>", "YAML file; its relative paths start from its folder, as the coordinator sees it")
  .argument("<out>", "directory of the merged model")
  .addOption(new Option("--kind <kind>", "what to do").choices(["search", "merge"]).default("search"))
  .option("--overwrite", "replace an earlier output of Amalgam")
  .addOption(mergekitArithmetic())
  .addOption(randomSeed())
  .option("--shard-bytes <size>", "input bytes per shard (default: by the size of the models)", bytes)
  .option("--digest-inputs", "record the sha256 of every input file in the manifest (reads all of them once more)")
  .addOption(
    backend("what merges: wasm, or the back-end of workers with a device").env("AMALGAM_BACKEND").default(WASM),
  )
  .option("--watch", "stay and show its progress")
  .addOption(address())
  .addOption(json())
  .action(action(() => import("./commands/submit.ts")));
program
  .command("status")
  .description("jobs of a coordinator, or one of them")
  .argument("[job]", "id of a job")
  .addOption(address())
  .addOption(json())
  .action(action(() => import("./commands/status.ts")));
program
  .command("watch")
  .description("show a job's progress until it ends")
  .argument("<job>", "id of the job")
  .addOption(address())
  .addOption(json())
  .action(action(() => import("./commands/watch.ts")));
program
  .command("cancel")
  .description("end a job; what it has staged stays for a resumed run")
  .argument("<job>", "id of the job")
  .addOption(address())
  .addOption(json())
  .action(action(() => import("./commands/cancel.ts")));

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 64;
}
