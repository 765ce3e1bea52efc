/** One architecture ready to run: its graph with the heads that tasks read, its session, and the weight sets that stay loaded. */

import { EvaluatorError } from "../errors.ts";
import type { BuildOptions, BuiltModel } from "../graph/families/family.ts";
import { logitsName } from "../graph/families/family.ts";
import { likelihoodNames, logitsHead, tokenLogLikelihood } from "../graph/heads.ts";
import type { Weights } from "../weights.ts";
import { type Batch, feedsOf, scatterRows } from "./batches.ts";
import { type GenerationOptions, type Generator, generateGreedy, openGenerator } from "./generate.ts";
import { type Program, programOf } from "./program.ts";
import { ResidentModels } from "./resident-models.ts";
import { createSession, type OpenedProgram, type Session, type SessionOptions } from "./session.ts";

export interface ModelRunnerOptions extends Omit<SessionOptions, "weights"> {
  /** Weight sets kept loaded between runs. */
  readonly residentModels: number;
}

export class ModelRunner implements AsyncDisposable {
  /** What the model is; its graph is not to be added to. */
  readonly model: BuiltModel;
  readonly session: Session;
  readonly models: ResidentModels;
  readonly #build: (options?: BuildOptions) => BuiltModel;
  #generator: Promise<Generator> | undefined;
  readonly #programs = new Map<string, Promise<OpenedProgram>>();

  /** @param build the model, a graph of its own at each call */
  constructor(build: (options?: BuildOptions) => BuiltModel, options: ModelRunnerOptions) {
    this.model = build();
    this.#build = build;
    this.session = createSession({ ...options, weights: this.model.graph.weights });
    this.models = new ResidentModels(this.session, options.residentModels);
  }

  /** All logits of each item, in the order of the items. */
  logits(weights: Weights, batches: readonly Batch[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#rows(weights, batches, logitsName, (model) => programOf(logitsHead(model)), signal);
  }

  /** What a language model gives to the targets of each item: `sum_t weight_t log p(target_t)`, in the order of the items. */
  async logLikelihoods(weights: Weights, batches: readonly Batch[], signal?: AbortSignal): Promise<number[]> {
    const rows = await this.#rows(weights, batches, likelihoodNames.tokens, tokensProgram, signal);
    return rows.map((row) => row[0]!);
  }

  /** What a causal language model writes after each prompt, of token ids; see {@link generateGreedy}. */
  async generate(
    weights: Weights,
    prompts: readonly (readonly number[])[],
    options: GenerationOptions,
  ): Promise<number[][]> {
    this.#generator ??= openGenerator(this.session, this.#build({ cached: true }));
    const generator = await this.#generator;
    return this.models.use(weights, (model) => generateGreedy(this.session, model, generator, prompts, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }

  async #rows(
    weights: Weights,
    batches: readonly Batch[],
    output: string,
    programOfModel: (model: BuiltModel) => Program,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array[]> {
    const program = await this.#open(output, programOfModel);
    return this.models.use(weights, async (model) => {
      const feeds = batches.map((batch) => () => feedsOf(batch));
      const outputs = await this.session.run(model, program, feeds, signal);
      return scatterRows(
        batches,
        outputs.map((tensors) => tensors[output]!),
      );
    });
  }

  #open(name: string, programOfModel: (model: BuiltModel) => Program): Promise<OpenedProgram> {
    const known = this.#programs.get(name);
    if (known !== undefined) return known;
    const opened = this.session.open(programOfModel(this.#build()));
    this.#programs.set(name, opened);
    return opened;
  }
}

function tokensProgram(model: BuiltModel): Program {
  model.graph.output(likelihoodNames.tokens, tokenLogLikelihood(model), "float32", ["items"]);
  return programOf(model.graph.build());
}

/** @throws EvaluatorError for the first number that is not finite, naming its item */
export function requireFinite(values: ArrayLike<number>, what: string, place: string): void {
  const list = Array.from(values);
  if (list.every(Number.isFinite)) return;
  throw new EvaluatorError(
    `${place}: non-finite ${what} (${list.join(", ")}): the weights hold NaN, infinite or huge values`,
  );
}
