/**
 * What a recipe says, validated: mergekit's YAML schema (merge_method, base_model, models, parameters, dtype, out_dtype) with Amalgam's own
 * sections (exclude, seed, evaluate, search). Plain data: nothing here opens a file, and paths are as written, relative to the recipe.
 */
import type { DType } from "@amalgam/checkpoint";

/** A number, or one number per layer depth: t runs over the layers from 0 to 1 and the list is interpolated linearly (a gradient). */
export type SettingValue = number | readonly number[];

/** One branch of a conditional setting. `filter` is a substring of the tensor's name; none, or "*", matches every tensor. */
export interface Conditional {
  readonly value: SettingValue;
  readonly filter?: string;
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

/** One way of merging: a method with its settings. */
export interface MergeSettings {
  /** Key of the kernels package's METHODS. */
  readonly method: string;
  readonly parameters: Settings;
  readonly models: readonly RecipeModel[];
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
  readonly objective: "mean";
  readonly compare: readonly Comparison[];
}

export interface Coefficient {
  /** A numeric parameter of the method. */
  readonly parameter: string;
  /** One coefficient per model, or one for the recipe. */
  readonly per: "model" | "recipe";
  readonly low: number;
  readonly high: number;
  readonly scale: "linear" | "log";
}

export interface SearchSection {
  readonly trials: number;
  /** Trials in flight. Part of the recipe because it decides what is proposed. */
  readonly parallel: number;
  readonly coefficients: readonly Coefficient[];
  /** Points tried first: full vectors by coefficient name. */
  readonly start: readonly Readonly<Record<string, number>>[];
}

export interface Recipe extends MergeSettings {
  /** Base checkpoint, as written. It may also be one of the models, for methods that use no base. */
  readonly base?: string;
  /** Type of the merged tensors when `outDtype` is not given. Arithmetic is in float32 whatever it says. */
  readonly dtype?: DType;
  /** Type of the merged tensors. */
  readonly outDtype?: DType;
  /** Regular expressions; tensors whose name one of them matches are not merged but copied from the base. */
  readonly exclude: readonly string[];
  readonly seed: number;
  readonly evaluate?: EvaluateSection;
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

/** One merge of a job: the recipe's own, or a row of the comparison. Everything a plan needs to build its program. */
export interface RecipeVariant {
  /** Display name, unique in the job. */
  readonly name: string;
  readonly role: "recipe" | "comparison";
  readonly merge: MergeSettings;
  /** The base checkpoint, for methods that use one. */
  readonly base?: string;
  /** Boolean and enumerated parameters, defaults filled in. */
  readonly options: Readonly<Record<string, boolean | string>>;
}
