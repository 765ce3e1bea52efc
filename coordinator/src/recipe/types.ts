/**
 * What a recipe says, validated: mergekit's YAML schema (merge_method, base_model, models, parameters, dtype, out_dtype) with Amalgam's own
 * sections (exclude, seed, evaluate, search). Plain data: nothing here opens a file, and paths are as written, relative to the recipe.
 */
import type { DType } from "@amalgam/checkpoint";

/** A number, or one number per layer depth: t runs over the layers from 0 to 1 and the list is interpolated linearly (a gradient). */
export type SettingValue = number | readonly number[];

/**
 * Layers of the merged model: a range of them, or one of `of` parts of about equal size, counted from 1. What lies before the layers
 * (embeddings) goes with the first layer, what lies after them (final norm, head) with the last, unless `outside` comes first.
 */
export type LayerSet =
  | ({ readonly kind: "range" } & LayerRange)
  | { readonly kind: "share"; readonly part: number; readonly of: number }
  | { readonly kind: "outside" };

/** Which tensors: those that satisfy all that is given. */
export interface Condition {
  /** A substring of the tensor's name; none, or "*", matches every tensor. */
  readonly filter?: string;
  readonly layers?: LayerSet;
}

/** One branch of a conditional setting. */
export interface Conditional extends Condition {
  readonly value: SettingValue;
}

/** A parameter as written. Booleans and strings are options of the method and hold for the whole merge. */
export type Setting = boolean | string | SettingValue | readonly Conditional[];

export type Settings = Readonly<Record<string, Setting>>;

export interface RecipeModel {
  /** Directory of the checkpoint, as written. */
  readonly path: string;
  /** Unique in the recipe; names the model's coefficients, as in `weight[name]`. */
  readonly name: string;
  readonly parameters: Settings;
  /** Companion files that the recipe names, by kind (`fisher`). A method may need one that is not named: see `slotsOf`. */
  readonly companions: Readonly<Record<string, string>>;
}

/** Layers of a model, from `first` up to but not including `end`. */
export interface LayerRange {
  readonly first: number;
  readonly end: number;
}

/** A model's part in a slice. */
export interface SliceSource {
  /** Path of the model, as written. */
  readonly path: string;
  /** Undefined: the whole module, as written under `models` of a module. */
  readonly layers?: LayerRange;
  readonly parameters: Settings;
}

/** Layers of the merged model that are merged from the same sources. */
export interface OutputSlice {
  readonly sources: readonly SliceSource[];
  /** Base of this slice; undefined: the recipe's. */
  readonly base?: string;
  readonly parameters: Settings;
}

/** A part of the merged model with layers of its own, such as a vision tower, as slices one after another. */
export interface OutputModule {
  /** Undefined: the only module, as written under the recipe's `slices`. */
  readonly name?: string;
  readonly slices: readonly OutputSlice[];
  readonly parameters: Settings;
}

/** One way of merging: a method with its settings. */
export interface MergeSettings {
  /** Key of the kernels package's METHODS. */
  readonly method: string;
  readonly parameters: Settings;
  /** Every model that is merged, once. */
  readonly models: readonly RecipeModel[];
  /** What the merged model is made of, where it is not of whole models; their parameters then stand at the sources, not at `models`. */
  readonly modules?: readonly OutputModule[];
}

/** A row of the final table that is not the recipe's own merge. */
export type Comparison =
  | { readonly kind: "models" }
  | { readonly kind: "method"; readonly name: string; readonly merge: MergeSettings };

export interface EvaluateSection {
  /** Task files, relative to the recipe. */
  readonly tasks: readonly string[];
  /** Split that the search scores on. */
  readonly split: string;
  /** Split of the final table; undefined: `test` when every task has it, else `split`. */
  readonly confirm?: string;
  /** ONNX file, relative to the recipe, that runs the models in place of the graph that their config describes. */
  readonly graph?: string;
  readonly objective: "mean";
  readonly compare: readonly Comparison[];
}

/** Where the Fisher information of methods that weigh by it comes from. */
export interface FisherSection {
  /**
   * `per_trial`: estimated at base + lambda_i (model_i - base) for each candidate (DF-Merge); `once`: at the models; `files`: read from
   * files; `none`: 1 everywhere. Rows of the comparison are merged with estimates at the models, or with files where these are.
   */
  readonly estimate: "per_trial" | "once" | "files" | "none";
  /** Items of the split that an estimate is the mean over. */
  readonly items: number;
  readonly estimator: "exact" | "sampled" | "empirical";
  /** Undefined: that of `evaluate`. */
  readonly split?: string;
  /** Parts that the items are divided into, each estimated by itself. */
  readonly parts: number;
  /** Task files by the names of models, as `evaluate` lists them. */
  readonly tasks: Readonly<Record<string, string>>;
}

export interface Coefficient {
  /** A numeric parameter of the method. */
  readonly parameter: string;
  /** One coefficient per model, or one for the recipe; each for all tensors, or one for each of the groups that follow. */
  readonly per: "model" | "recipe";
  /** A number of groups of consecutive layers, about equal in size, or the groups, which follow one another from layer 0. */
  readonly layers?: number | readonly LayerRange[];
  /** Tensors outside of the layers are a group of their own, and not of those at the ends. */
  readonly outside?: "own";
  /** Filters by the name of the kind of tensors that they stand for; the first match wins, and what none matches is `rest`. */
  readonly tensors?: Readonly<Record<string, string>>;
  /** The models' values are at least 0 and add up to 1. */
  readonly simplex?: true;
  readonly low: number;
  readonly high: number;
  readonly scale: "linear" | "log";
}

/** What proposes the points of a search; `greedy_soup` adds one model after another with weight 1. */
export type SearchStrategy = "bayesian" | "random" | "sobol" | "grid" | "cmaes" | "greedy_soup";

/** What is maximised of the accuracies on the tasks: their mean, the worst, or no single number but the front of trade-offs. */
export interface SearchObjective {
  readonly kind: "mean" | "worst" | "pareto";
  /** Of a mean, by task; all tasks count the same without it. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Accuracies are divided by those of the task's expert, the best of the models by itself. */
  readonly normalised: boolean;
}

/** What a candidate must keep: an accuracy, or one that is so much below that of the task's expert. */
export interface SearchConstraint {
  /** Undefined: every task. */
  readonly task?: string;
  readonly kind: "at_least" | "loses_at_most";
  readonly amount: number;
}

/** The first trials of a search from coarse to fine: with one number for everything (of each parameter), or one for each model. */
export interface SearchStage {
  readonly name: "scale" | "model";
  readonly trials: number;
}

export interface SearchSection {
  readonly strategy: SearchStrategy;
  readonly trials: number;
  /** Proposals before the optimizer's model takes over; undefined: as many as suit the number of coefficients. */
  readonly initialTrials?: number;
  /** Trials in flight. Part of the recipe because it decides what is proposed. */
  readonly parallel: number;
  /** A trial is scored on some items first, and on the others only while it may still be the best. */
  readonly racing: boolean;
  readonly objective: SearchObjective;
  readonly constraints: readonly SearchConstraint[];
  /** Whether the search ends before `trials` when more of them would gain less than noise. */
  readonly stop: "auto" | "never";
  /** An output of an earlier search, its search.json, a study or trials of Optuna; as written. */
  readonly warmStart?: string;
  readonly coefficients: readonly Coefficient[];
  /** In their order; the trials after them search every coefficient. */
  readonly stages?: readonly SearchStage[];
  /** Points tried first: full vectors by coefficient name. */
  readonly start: readonly Readonly<Record<string, number>>[];
}

/** Where a recipe says that the embedding of a token comes from. Models are references as written. */
export type TokenSourceRecipe =
  | { readonly kind: "zero" }
  /** The same token in that model. */
  | { readonly kind: "model"; readonly model: string }
  | { readonly kind: "token"; readonly model: string; readonly token: string }
  | { readonly kind: "id"; readonly model: string; readonly id: number };

export interface TokenRecipe {
  /** Undefined: as for tokens that the recipe does not name. */
  readonly source?: TokenSourceRecipe;
  /** Also for models that have the token. */
  readonly force: boolean;
}

/** The tokenizer of the merged model. */
export interface TokenizerSection {
  readonly source: { readonly kind: "union" | "base" } | { readonly kind: "model"; readonly path: string };
  /** By token; those that no tokenizer has are added. */
  readonly tokens: ReadonlyMap<string, TokenRecipe>;
  readonly padToMultipleOf?: number;
}

export interface Recipe extends MergeSettings {
  /** Base checkpoint, as written. It may also be one of the models, for methods that use no base. */
  readonly base?: string;
  /** Float32 throughout, or mergekit's: in `dtype`, else the models' own, rounding after every operation, with its random numbers. */
  readonly arithmetic: "float32" | "mergekit";
  /** Type of the merged tensors when `outDtype` is not given, and what mergekit's arithmetic computes in. */
  readonly dtype?: DType;
  /** Type of the merged tensors. */
  readonly outDtype?: DType;
  /** Regular expressions; tensors whose name one of them matches are not merged but copied from the base. */
  readonly exclude: readonly string[];
  /** Undefined: the tokenizer of the base (else the first model) is copied. */
  readonly tokenizer?: TokenizerSection;
  /** A template's name, or its text. */
  readonly chatTemplate?: string;
  readonly seed: number;
  readonly evaluate?: EvaluateSection;
  /** Undefined: files. */
  readonly fisher?: FisherSection;
  readonly search?: SearchSection;
}

/** A dimension of the search space, as the optimizer's study wants it. */
export interface SearchDimension {
  readonly name: string;
  readonly kind: "float";
  readonly low: number;
  readonly high: number;
  readonly scale: "linear" | "log";
}

/** A model that is merged in one part of a merge. */
export interface PartSource {
  readonly model: RecipeModel;
  readonly layers?: LayerRange;
  /** The model's own parameters here; the model's, for a merge of whole models. */
  readonly parameters: Settings;
  /** What the recipe's text says it with. */
  readonly written: RecipeModel | SliceSource;
}

/** What is merged from the same sources with the same settings: all of a merge of whole models, a module, or a slice. */
export interface Part {
  /** Module of the models that it is a part of; undefined: the only one, or all of them. */
  readonly module?: string;
  /** Undefined for whole models. */
  readonly slice?: { readonly index: number; readonly count: number };
  /** The base's layers, where the method uses a base. */
  readonly base?: PartSource;
  /** Without the base, in recipe order. */
  readonly sources: readonly PartSource[];
  /** Settings by falling precedence, below those of the sources: the slice's, the module's, the merge's. */
  readonly levels: readonly Settings[];
  /** Boolean and enumerated parameters, defaults filled in. */
  readonly options: Readonly<Record<string, boolean | string>>;
}

/** One merge of a job: the recipe's own, a row of the comparison, a model that the search is measured against, or one whose importance is estimated. Everything a plan needs to build its programs. */
export interface RecipeVariant {
  /** Display name, unique among the variants of its role. */
  readonly name: string;
  readonly role: "recipe" | "comparison" | "expert" | "estimated";
  readonly merge: MergeSettings;
  /** In the order of the merged model; all variants of a recipe with slices have the same. */
  readonly parts: readonly Part[];
}
