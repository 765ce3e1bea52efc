// `amalgam fisher`: estimates the diagonal Fisher information of a checkpoint on a task, and writes it where recipes look for it.
import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import {
  type Checkpoint,
  elementCount,
  isFloat,
  isRemote,
  manifestName,
  openCheckpoint,
  recordInputs,
  resolveReference,
  type TensorSpec,
} from "@amalgam/checkpoint";
import {
  createScorer,
  type Estimator,
  readModelDirectory,
  readOwnGraph,
  type Scorer,
  storedIn,
  writeFisherFile,
} from "@amalgam/evaluator";
import { AmalgamError } from "@amalgam/runtime";
import { type CommandContext, stoppable } from "../context.ts";
import { formatBytes, formatCount, formatDuration } from "../render/units.ts";
import { defaultThreads } from "../roles/local.ts";
import { readFisherData } from "./fisher-data.ts";

export interface FisherOptions {
  readonly task?: string;
  readonly graph?: string;
  readonly data?: string;
  readonly split: string;
  readonly items: number;
  readonly estimator?: Estimator;
  readonly seed: number;
  readonly tensors?: readonly string[];
  readonly dtype: "f32" | "bf16";
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly threads?: number;
  readonly provider: string;
  readonly memory?: number;
}

/** Where recipes look for a model's Fisher information. */
const fileName = "fisher.safetensors";
/** A stopped run loses no more than this. */
const SAVE_MS = 30_000;

export async function run(context: CommandContext, model: string, options: FisherOptions): Promise<void> {
  await stoppable(context, "stopped; run the same command again to go on", () => estimate(context, model, options));
}

async function estimate(context: CommandContext, model: string, options: FisherOptions): Promise<void> {
  const { signal } = context;
  const startedMs = performance.now();
  const location = await resolveReference(model);
  const path = await outputPath(location, options);
  const checkpoint = await openCheckpoint(location, { signal });
  const tensors = wantedTensors(checkpoint, options);
  const { config, tokenizer, preprocessor, weights } = await readModelDirectory(location, signal);
  const data = await readFisherData(config, options);
  const { tasks, task, split, estimator } = data;
  const { seed, provider, threads = defaultThreads() } = options;
  const graph = options.graph === undefined ? undefined : await readOwnGraph(options.graph, weights);
  await using scorer = await createScorer({
    config,
    stored: storedIn(weights),
    graph,
    tokenizer,
    preprocessor,
    tasks,
    threads,
    provider,
  });
  const items = Math.min(options.items, data.items);
  const about = { task, split, items, estimator, seed, provider, data_sha256: data.digest };
  const readers = [tokenizer, preprocessor, graph && createHash("sha256").update(graph.bytes).digest("hex")];
  const metadata = await metadataOf(checkpoint, readers, about, signal);
  const redraw = context.live ? (await import("log-update")).default : undefined;
  try {
    await writeFisherFile({
      ...{ path, tensors, metadata, items, signal },
      groupBytes: sumBytes(options, scorer) / (threads + SUMS_BESIDE_THREADS),
      saveMs: SAVE_MS,
      async estimate(wanted, { from, onRange }) {
        const names = new Set([...wanted].flatMap((name) => aliasesOf(checkpoint, name)));
        const found = await scorer.fisher(weights, task, split, {
          ...{ items, estimator, seed, tensors: names, from, signal },
          async onRange(sum) {
            redraw?.(`${sum.items} of ${items} items, ${formatDuration(performance.now() - startedMs)}`);
            await onRange(sum);
          },
        });
        const read = (name: string) => found.tensors.get(name);
        return new Map(
          [...wanted].flatMap((name) => {
            const values = aliasesOf(checkpoint, name)
              .map(read)
              .find((each) => each !== undefined);
            return values === undefined ? [] : [[name, values] as const];
          }),
        );
      },
    });
  } finally {
    redraw?.clear();
    redraw?.done();
  }
  const parameters = tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const peakBytes = 1024 * process.resourceUsage().maxRSS;
  if (context.json) {
    const sizes = { tensors: tensors.length, parameters, peakBytes };
    return context.printJson({ model, file: path, ...metadata, items, seed, ...sizes });
  }
  context.print(
    `${estimator} Fisher information of ${formatCount(parameters)} parameters on ${items} items of ${task}, ${split}`,
  );
  const took = formatDuration(performance.now() - startedMs);
  context.print(`wrote ${path} in ${took}, with ${formatBytes(peakBytes)} of memory at most`);
}

/** Sums in memory beside those that the threads are at: the total, and one that waits to be added. */
const SUMS_BESIDE_THREADS = 2;

/** Memory for sums: what the weights, as they lie in the file and in float32, leave of it. */
function sumBytes({ memory = totalmem() / 2 }: FisherOptions, { weightsBytes }: Scorer): number {
  return Math.max(0, memory - 2 * weightsBytes);
}

/** All names of the parameter that the checkpoint stores under this one; its own first. */
function aliasesOf({ tied }: Checkpoint, name: string): readonly string[] {
  const group = tied.find(({ stored }) => stored.includes(name));
  return group === undefined ? [name] : [name, ...group.stored, ...group.absent];
}

/** What is estimated: the checkpoint's float tensors that a pattern matches, in their order. */
function wantedTensors(checkpoint: Checkpoint, { tensors: patterns = [], dtype }: FisherOptions): TensorSpec[] {
  const floats = [...checkpoint.tensors.values()].filter((tensor) => isFloat(tensor.dtype));
  const expressions = patterns.map((pattern) => ({ pattern, expression: new RegExp(pattern) }));
  for (const { pattern, expression } of expressions) {
    if (floats.some(({ name }) => expression.test(name))) continue;
    const hint = "amalgam inspect --tensors lists them";
    throw new AmalgamError(
      "invalid_argument",
      `--tensors ${pattern}: matches no tensor of ${checkpoint.root} (${hint})`,
    );
  }
  return floats
    .filter(({ name }) => expressions.length === 0 || expressions.some(({ expression }) => expression.test(name)))
    .map(({ name, shape }) => ({ name, shape, dtype: dtype === "bf16" ? "BF16" : "F32" }));
}

/** The file to write: in the model's folder, where recipes look for it, unless another place is named. */
async function outputPath(location: string, { out, overwrite = false }: FisherOptions): Promise<string> {
  if (out === undefined && isRemote(location)) {
    throw new AmalgamError("invalid_argument", `${location}: is not on this machine: name the file to write with -o`);
  }
  if (out === undefined && (await exists(join(location, manifestName)))) {
    const reason = `amalgam verify would take ${fileName} for a file that does not belong there`;
    throw new AmalgamError(
      "invalid_argument",
      `${location}: is an output of amalgam, and ${reason}: name another place with -o`,
    );
  }
  const folder = out ?? location;
  const path = out?.endsWith(".safetensors") ? out : join(folder, fileName);
  if (!overwrite && (await exists(path))) {
    throw new AmalgamError("already_exists", `${path}: is there already (--overwrite replaces it)`);
  }
  return path;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** What decides the numbers, for the file's header: `digest` is that of all of it. */
async function metadataOf(
  checkpoint: Checkpoint,
  readers: readonly unknown[],
  about: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): Promise<Record<string, string> & { readonly digest: string }> {
  // A remote model is not read a second time: its commit or version stands for its contents.
  const files = await recordInputs(
    checkpoint,
    checkpoint.files.every(({ path }) => !isRemote(path)),
    { signal },
  );
  const weights = sha256([files, checkpoint.config, ...readers]);
  const texts = Object.entries(about).map(([key, value]) => [key, String(value)] as const);
  const metadata = { ...Object.fromEntries(texts), model_sha256: weights };
  return { ...metadata, digest: sha256(metadata) };
}

const sha256 = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex");
