/**
 * Greedy decoding: a language model writes its likeliest token, reads it, and so on. A causal model writes in batches without any padding: a batch
 * reads as many tokens as its shortest prompt has, then token by token; a text whose prompt is longer reads that first and begins to write later.
 * The decoder of a sequence-to-sequence model begins with its start token, and its encoder reads the prompts, padded, in the first run.
 */

import { EvaluatorError } from "../errors.ts";
import { int } from "../graph/attributes.ts";
import { GraphBuilder } from "../graph/builder.ts";
import type { CacheSlot } from "../graph/causal-reading.ts";
import { type BuiltModel, inputNames } from "../graph/families/family.ts";
import { nextTokenHead, nextTokenNames } from "../graph/heads.ts";
import { float32, int32, type Program, programOf, type Tensors } from "./program.ts";
import type { Chain, LoadedModel, OpenedProgram, Session } from "./session.ts";

/** A language model that writes. */
export interface Generator extends Disposable {
  readonly model: BuiltModel;
  /** Reads tokens, and says what comes next. */
  readonly step: OpenedProgram;
  /** Drops the caches of texts that have ended; absent where nothing is cached. */
  readonly select: OpenedProgram | undefined;
}

export interface GenerationOptions {
  /** Most tokens written after a prompt. */
  readonly maxNewTokens: number;
  /** Tokens that end a text; they are not part of it. */
  readonly endTokens: readonly number[];
  /** Whether a text ends with these new tokens, for ends that are no token; asked after each one. */
  readonly ends?: (tokens: readonly number[]) => boolean;
  /** Takes effect between tokens. */
  readonly signal?: AbortSignal | undefined;
}

/** Most texts written together. */
const batchItems = 32;
/** Most bytes of keys and values that a batch may come to hold. */
const cacheBytes = 2 ** 28;
/** Tokens of all prompts of a batch that are read in one run; bounds its activations. */
const runTokens = 1024;
/** Most tokens of a batch where every step reads all of them. */
const uncachedTokens = 4096;

/**
 * Opens the program of one step of a model, best one that was built `cached`: without a cache every step reads the whole text.
 * @throws EvaluatorError when the model is no language model, or onnxruntime refuses it.
 */
export async function openGenerator(session: Session, model: BuiltModel): Promise<Generator> {
  if (model.kind !== "causal-lm" && model.kind !== "seq2seq-lm")
    throw new EvaluatorError(`${model.architecture} writes no text`);
  const cache = model.cache ?? [];
  using scope = new DisposableStack();
  const step = scope.use(await session.open(programOf(nextTokenHead(model), cache)));
  const select = cache.length === 0 ? undefined : scope.use(await session.open(selectProgram(cache)));
  const opened = scope.move();
  return { model, step, select, [Symbol.dispose]: () => opened.dispose() };
}

const keptName = "kept";

/** Keeps some items of every cache: those at the places `kept`, int32. */
function selectProgram(cache: readonly CacheSlot[]): Program {
  const g = new GraphBuilder("select");
  const kept = g.input(keptName, "int32", ["kept"]);
  for (const { input, output, heads, features } of cache) {
    const all = g.input(input, "float32", ["items", heads, input, features]);
    g.output(output, g.op("Gather", [all, kept], { axis: int(0) }), "float32", ["kept", heads, input, features]);
  }
  return programOf(g.build(), cache);
}

/**
 * What the model writes after each prompt: at most `maxNewTokens` tokens, without the one that ended it. The same whatever the threads; which
 * texts are written together can decide between tokens that are equally likely but for rounding.
 * @param prompts ids of each prompt, with the special tokens that begin a text
 * @throws EvaluatorError for prompts that are empty or too long, when onnxruntime fails, or when logits are not finite; the signal's reason.
 */
export async function generateGreedy(
  session: Session,
  loaded: LoadedModel,
  generator: Generator,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions,
): Promise<number[][]> {
  const problems = prompts.flatMap((prompt, i) => misfits(prompt, `prompt ${i + 1}`, generator.model, options));
  if (problems.length > 0) throw new EvaluatorError(problems);
  const batches = batchesOf(prompts, generator.model, options.maxNewTokens);
  const write = (chain: Chain, batch: readonly number[]): Promise<number[][]> =>
    writeBatch(
      chain,
      generator,
      batch.map((item) => prompts[item]!),
      options,
    );
  const written = await session.chain(loaded, batches, write, options.signal);
  const texts: number[][] = new Array(prompts.length);
  batches.forEach((batch, b) => {
    batch.forEach((item, i) => {
      texts[item] = written[b]![i]!;
    });
  });
  return texts;
}

function misfits(prompt: readonly number[], place: string, model: BuiltModel, options: GenerationOptions): string[] {
  if (prompt.length === 0) return [`${place}: has no token to begin with`];
  const { maxTokens = Number.POSITIVE_INFINITY } = model;
  if (prompt.length + options.maxNewTokens <= maxTokens) return [];
  const asked = `${prompt.length} tokens and ${options.maxNewTokens} new ones`;
  return [`${place}: ${asked} are more than the ${maxTokens} that the model takes (shorten it, or ask for fewer)`];
}

/** Prompts that are written together, by index: of like length, so that waiting for the longer ones takes fewer steps than a batch of their own. */
function batchesOf(prompts: readonly (readonly number[])[], model: BuiltModel, maxNewTokens: number): number[][] {
  const length = (item: number): number => prompts[item]!.length;
  const tokens = model.cache?.length ? Math.floor(cacheBytes / bytesPerToken(model)) : uncachedTokens;
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const item of [...prompts.keys()].sort((a, b) => length(a) - length(b) || a - b)) {
    const together = batch.length > 0 && batch.length < batchItems && length(item) - length(batch[0]!) <= maxNewTokens;
    if (together && (batch.length + 1) * (length(item) + maxNewTokens) <= tokens) {
      batch.push(item);
    } else {
      batch = [item];
      batches.push(batch);
    }
  }
  return batches;
}

function bytesPerToken({ cache = [] }: BuiltModel): number {
  return cache.reduce((sum, { heads, features }) => sum + 4 * heads * features, 0);
}

async function writeBatch(
  chain: Chain,
  { model, step, select }: Generator,
  prompts: readonly (readonly number[])[],
  { maxNewTokens, endTokens, ends = () => false, signal }: GenerationOptions,
): Promise<number[][]> {
  const decodes = model.kind === "seq2seq-lm";
  const texts = prompts.map((prompt) => {
    const start = decodes ? [model.decoderStart!] : prompt;
    return { prompt, start, tokens: [...start], ended: maxNewTokens === 0 };
  });
  const longest = Math.max(...prompts.map((prompt) => prompt.length));
  const shortest = Math.min(...texts.map(({ start }) => start.length));
  const chunk = select === undefined ? shortest : Math.max(1, Math.floor(runTokens / texts.length));
  let running = texts.filter(({ ended }) => !ended);
  for (let read = 0, end = 0; running.some(({ ended }) => !ended); ) {
    signal?.throwIfAborted();
    end = end < shortest ? Math.min(shortest, end + chunk) : end + 1;
    const unread = running.map(({ tokens }) => tokens);
    const outputs = await chain.run(step, {
      ...(read === 0 ? emptyCaches(model, running.length) : {}),
      ...(decodes ? encoderFeeds(running, longest, read === 0) : {}),
      [decodes ? inputNames.decoderIds : inputNames.ids]: rows(unread, read, end),
    });
    const next = outputs[nextTokenNames.tokens]!.data;
    const logLikelihood = outputs[nextTokenNames.logLikelihood]!.data;
    for (const [row, text] of running.entries()) {
      if (text.ended || end < text.start.length) continue;
      if (!Number.isFinite(logLikelihood[row]!)) throw new EvaluatorError("the model's logits are not finite");
      const isEnd = endTokens.includes(next[row]!);
      if (!isEnd) text.tokens.push(next[row]!);
      const written = text.tokens.slice(text.start.length);
      text.ended = isEnd || written.length === maxNewTokens || ends(written);
    }
    if (select !== undefined) read = end;
    const left = [...running.keys()].filter((row) => !running[row]!.ended);
    if (left.length > 0 && left.length <= running.length / 2) {
      if (select !== undefined) await chain.run(select, { [keptName]: int32([left.length], Int32Array.from(left)) });
      running = left.map((row) => running[row]!);
    }
  }
  return texts.map(({ start, tokens }) => tokens.slice(start.length));
}

/** The tokens `[from, to)` of each text; one that has ended, or is short, is padded with anything. */
function rows(texts: readonly (readonly number[])[], from: number, to: number): Tensors[string] {
  const ids = texts.flatMap((text) => Array.from({ length: to - from }, (_, t) => text[from + t] ?? 0));
  return int32([texts.length, to - from], Int32Array.from(ids));
}

/** What an encoder reads: the prompts, padded to `tokens`, or nothing where an earlier run has read them. */
function encoderFeeds(
  texts: readonly { readonly prompt: readonly number[] }[],
  tokens: number,
  unread: boolean,
): Tensors {
  const mask = texts.flatMap(({ prompt }) => Array.from({ length: tokens }, (_, t) => (t < prompt.length ? 1 : 0)));
  const prompts = texts.map(({ prompt }) => prompt);
  return {
    [inputNames.ids]: rows(prompts, 0, unread ? tokens : 0),
    [inputNames.mask]: float32([texts.length, tokens], Float32Array.from(mask)),
  };
}

function emptyCaches({ cache = [] }: BuiltModel, items: number): Tensors {
  const empty = ({ heads, features }: (typeof cache)[number]) =>
    float32([items, heads, 0, features], new Float32Array());
  return Object.fromEntries(cache.map((slot) => [slot.input, empty(slot)]));
}
