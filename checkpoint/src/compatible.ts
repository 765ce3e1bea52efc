// Can these checkpoints be merged into the base? Every difference is found before any byte of data is read.
import { type Checkpoint, resolveTensor, type TensorRef } from "./checkpoint.ts";
import { dtypeKind } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { isDerivedBuffer } from "./tied.ts";
import { isVocabularyTensor } from "./tokenizer/vocabulary-tensors.ts";

export interface CompareOptions {
  /** Tensors that a model may lack or hold in another shape, such as task heads. Derived buffers always may. */
  readonly isOptional?: (tensor: string) => boolean;
  /** What messages call the checkpoint that models are compared with: "the base" by default. */
  readonly reference?: string;
  /** Tensors that only a model has: a problem (default), or a warning when they may be left out of the merge. */
  readonly extraTensors?: "problem" | "warning";
}

export interface Comparison {
  /** Tensors of the base that every model has, directly or tied, in the same shape and kind of dtype. In base order. */
  readonly shared: readonly string[];
  /** What makes a merge impossible, naming model, tensor and rule. */
  readonly problems: readonly CheckpointError[];
  /** What a merge leaves out. */
  readonly warnings: readonly CheckpointError[];
}

/** Compares models with the base they are to be merged into. Dtypes may differ in width, not in kind. */
export function compareCheckpoints(
  base: Checkpoint,
  models: readonly Checkpoint[],
  options: CompareOptions = {},
): Comparison {
  const mayDiffer = (tensor: string) => isDerivedBuffer(tensor) || options.isOptional?.(tensor) === true;
  const reference = `${options.reference ?? "the base"} ${base.root}`;
  const problems: CheckpointError[] = [];
  const warnings: CheckpointError[] = [];
  const different = new Set<string>();
  for (const model of models) {
    for (const expected of base.tensors.values()) {
      const { name } = expected;
      const difference = differenceOf(expected, resolveTensor(model, name), reference);
      if (difference === undefined) continue;
      different.add(name);
      (mayDiffer(name) ? warnings : problems).push(
        new CheckpointError({ file: model.root, tensor: name, ...difference }),
      );
    }
    const extra = options.extraTensors === "warning" ? warnings : problems;
    for (const name of model.tensors.keys()) {
      if (resolveTensor(base, name) !== undefined) continue;
      const rule = `${reference} has no such tensor`;
      (mayDiffer(name) ? warnings : extra).push(new CheckpointError({ file: model.root, tensor: name, rule }));
    }
  }
  return { shared: [...base.tensors.keys()].filter((name) => !different.has(name)), problems, warnings };
}

function differenceOf(
  expected: TensorRef,
  found: TensorRef | undefined,
  reference: string,
): { rule: string; hint?: string } | undefined {
  if (found === undefined) {
    return { rule: `missing: ${reference} has it`, hint: "all models must be fine-tuned from the same base" };
  }
  if (!sameShape(expected.shape, found.shape)) {
    const rule = `shape [${found.shape.join(", ")}] differs from [${expected.shape.join(", ")}] in ${reference}`;
    const tokens = isVocabularyTensor(expected.name) && sameShape(expected.shape.slice(1), found.shape.slice(1));
    return tokens
      ? { rule, hint: "its rows are tokens: merge the vocabularies with `tokenizer_source: union`" }
      : { rule };
  }
  if (dtypeKind(expected.dtype) !== dtypeKind(found.dtype)) {
    return { rule: `dtype ${found.dtype} is of another kind than ${expected.dtype} in ${reference}` };
  }
  return undefined;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}
