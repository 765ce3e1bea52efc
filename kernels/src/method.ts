// What a merge method is: metadata for recipes and documentation, and one function that writes the
// method as an expression. Nothing outside src/methods/ knows a method by name.
import type { F32, Mask } from "./expr.ts";

interface ParameterBase {
  /** `model` parameters have one value for each model, `global` ones one value for the merge. */
  readonly scope: "global" | "model";
  readonly doc: string;
  /** Accepted for compatibility and without effect; says why. */
  readonly ignored?: string;
}
/** A runtime scalar: a new value needs no recompilation. Without a default it is required. */
export interface NumberParameter extends ParameterBase {
  readonly kind: "number";
  readonly default?: number;
  /** Inclusive bounds. */
  readonly min?: number;
  readonly max?: number;
  /** Must have the same value for every tensor, because a statistic over the whole model depends on it. */
  readonly constant?: true;
  /** mergekit keeps the values in a tensor of the working dtype. */
  readonly held?: boolean;
}
/** Structural: chooses which program is compiled. */
export interface BooleanParameter extends ParameterBase {
  readonly kind: "boolean";
  readonly default: boolean;
}
/** Structural: chooses which program is compiled. */
export interface EnumParameter extends ParameterBase {
  readonly kind: "enum";
  readonly choices: readonly string[];
  readonly default: string;
}
export type Parameter = NumberParameter | BooleanParameter | EnumParameter;

/** What a method's `build` gets to work with. Arrays have one entry for each model, in recipe order. */
export interface MethodContext {
  /** Whether to write the formula in mergekit's order of operations, where `build` has a better one. */
  readonly asMergekit: boolean;
  readonly hasBase: boolean;
  /** The base's value; throws when the merge has no base. */
  readonly base: F32;
  readonly models: readonly F32[];
  /** The accompanying tensors of that name, such as `fisher`. */
  readonly companions: (name: string) => readonly F32[];
  /** A global number parameter. */
  readonly param: (name: string) => F32;
  /** A per-model number parameter. */
  readonly params: (name: string) => readonly F32[];
  /** Of the tensor being merged: the number of its layer, -1 outside of the layers, and how many layers its stack has. */
  readonly layer: { readonly index: F32; readonly count: F32 };
  readonly flag: (name: string) => boolean;
  readonly choice: (name: string) => string;
}

/**
 * What a method makes that is more than one model: the checkpoint of model i is base + scale[i] * mask[i] * vector, where the
 * vector is what `build` gives.
 */
export interface Artefact {
  readonly masks: readonly Mask[];
  /** One scalar for each model, of parameters and statistics. */
  readonly scales: readonly F32[];
}

/**
 * Where mergekit rounds to its working dtype: after every operation, in the order `build` writes them; once, what it computes in
 * float32 or in an order of its own; never, where its result is float32 whatever the models are.
 */
export type MergekitRounding = "everyOperation" | "once" | "never";

export interface MergeMethod {
  readonly name: string;
  /** One sentence for lists. */
  readonly summary: string;
  /** arXiv ids or a reference implementation. */
  readonly reference: string;
  /** `none`: a base plays no part in the formula. */
  readonly base: "required" | "optional" | "none";
  readonly minModels: number;
  readonly maxModels?: number;
  /** Names of the tensors each model must bring along, one for each merged tensor and of its shape. */
  readonly companions: readonly string[];
  /**
   * The parameter of a model, lambda, that scales its difference from the base: what accompanies the model may then be that of
   * base + lambda * (model - base) in place of the model's own. Left out: the method weighs the models as they are.
   */
  readonly conditionedOn?: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** For `arithmetic: mergekit`; `once` when left out. */
  readonly mergekit?: MergekitRounding;
  readonly build: (m: MethodContext) => F32;
  /** Given by methods whose result is an artefact and no model: `build` is then a task vector that all models share. */
  readonly artefact?: (m: MethodContext) => Artefact;
}
