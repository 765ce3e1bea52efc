/** What is scored, as far as it is known without weights: the model, how it reads, and whether the tasks fit it. Runs nothing. */

import { EvaluatorError } from "./errors.ts";
import type { BuildOptions, BuiltModel } from "./graph/families/family.ts";
import { buildModel } from "./graph/families/index.ts";
import { importModel } from "./graph/imported/import.ts";
import { withZeroShotHeads, type ZeroShotHead } from "./graph/zero-shot.ts";
import { createImageReader, type ImageReader } from "./images/reader.ts";
import { measureOf } from "./measures/index.ts";
import type { GraphOfModels } from "./own-graph.ts";
import type { Task, TaskSet } from "./tasks/task.ts";
import { createTokenizer, type SpecialIds, type TextTokenizer, type TokenizerFiles } from "./tasks/tokenize.ts";
import { headProblems } from "./tasks/zero-shot-head.ts";

export interface SubjectOptions {
  /** The parsed `config.json`. */
  readonly config: unknown;
  /** Whether the models have a tensor of this name, which says how they store weights that modules share; see {@link buildModel}. */
  readonly stored?: (tensor: string) => boolean;
  /** Runs the models in place of the graph that their config describes. */
  readonly graph?: GraphOfModels | undefined;
  /** Without it a model of texts cannot be run. */
  readonly tokenizer?: TokenizerFiles | undefined;
  /** The parsed `preprocessor_config.json`; without it a model of images cannot be run. */
  readonly preprocessor?: unknown;
  readonly tasks: TaskSet;
  /** Whether tasks may run commands; not by default. */
  readonly allowCommands?: boolean | undefined;
}

export interface Subject {
  /** What the model is; its graph is not to be added to. */
  readonly model: BuiltModel;
  /** The model, a graph of its own at each call. */
  readonly build: (how?: BuildOptions) => BuiltModel;
  /** Of a model that reads texts. */
  readonly tokenizer: TextTokenizer | undefined;
  /** Of a model that reads images. */
  readonly images: ImageReader | undefined;
}

/**
 * The subject of these tasks; undefined where all are commands, which need no model that is run here.
 * @throws EvaluatorError for an unsupported architecture, a broken tokenizer, all tasks that do not fit the model, or commands that are not allowed.
 */
export function openSubject(options: SubjectOptions): Subject | undefined {
  const tasks = [...options.tasks.values()];
  const refused = options.allowCommands === true ? [] : tasks.flatMap(refusedCommand);
  if (refused.length > 0) throw new EvaluatorError(refused);
  if (tasks.length > 0 && tasks.every(({ kind }) => kind === "command")) return undefined;
  const { config, graph, stored } = options;
  const bare = (how?: BuildOptions): BuiltModel =>
    graph === undefined ? buildModel(config, stored, how) : importModel(graph, config, graph.tensors);
  const heads = zeroShotHeads(tasks);
  const headless =
    heads.length === 0 ? [] : tasks.filter((task) => task.kind === "image_classification" && !task.zeroShot);
  const unfit = [
    ...headless.map(({ name }) => `task ${name}: has no head, and other tasks of the model have one each`),
    ...headProblems(heads, bare()),
  ];
  if (unfit.length > 0) throw new EvaluatorError(unfit);
  const build = (how?: BuildOptions): BuiltModel =>
    heads.length === 0
      ? bare(how)
      : withZeroShotHeads(
          bare(how),
          heads.map(({ head }) => head),
        );
  const model = build();
  const { image } = model;
  const tokenizer = image === undefined ? openTokenizer(options) : undefined;
  const images = image === undefined ? undefined : openImages(options, image);
  const subject = { model, build, tokenizer, images };
  const problems = tasks.flatMap((task) => (task.kind === "command" ? [] : measureOf(task).misfits(task, subject)));
  if (problems.length > 0) throw new EvaluatorError(problems);
  return subject;
}

function zeroShotHeads(tasks: readonly Task[]): { readonly task: string; readonly head: ZeroShotHead }[] {
  return tasks.flatMap((task) =>
    task.kind === "image_classification" && task.zeroShot !== undefined
      ? [{ task: task.name, head: task.zeroShot }]
      : [],
  );
}

const refusedCommand = ({ name, kind }: Task): string[] =>
  kind === "command"
    ? [`task ${name}: runs a command, which a task file may not do by itself: say --allow-commands if you trust it`]
    : [];

function openTokenizer({ config, tokenizer }: SubjectOptions): TextTokenizer {
  if (tokenizer !== undefined) return createTokenizer(tokenizer, specialIds(config));
  const remedy = "a fast tokenizer's save_pretrained writes it";
  throw new EvaluatorError(`tokenizer.json: is missing, and texts cannot be read without it (${remedy})`);
}

function openImages({ preprocessor }: SubjectOptions, image: NonNullable<BuiltModel["image"]>): ImageReader {
  if (preprocessor !== undefined) return createImageReader(preprocessor, image);
  const remedy = "an image processor's save_pretrained writes it";
  throw new EvaluatorError(`preprocessor_config.json: is missing, and images cannot be read without it (${remedy})`);
}

/** Some models' configs name the tokens that begin and end texts; of those that end one there may be several. */
function specialIds(config: unknown): SpecialIds {
  const { bos_token_id: bos, eos_token_id: eos } = (config ?? {}) as Record<string, unknown>;
  const isId = (id: unknown): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0;
  return { bosTokenId: [bos].find(isId), eosTokenIds: [eos].flat().filter(isId) };
}
