/** Which dtype mergekit would compute a recipe in, and what its methods return. */
import type { DType } from "@amalgam/checkpoint";
import { type GraphSpec, isWorkingDType } from "@amalgam/kernels";
import type { Recipe } from "../recipe/index.ts";
import { methodOf } from "../recipe/methods.ts";
import type { MatchedTensor } from "./match.ts";
import { TensorRemarks } from "./problems.ts";
import type { Slot } from "./types.ts";

/** As `GraphSpec.working`: undefined unless the recipe asks for mergekit's arithmetic. */
export function workingDType({ arithmetic, dtype }: Recipe): GraphSpec["working"] {
  if (arithmetic === "float32") return undefined;
  return dtype !== undefined && isWorkingDType(dtype) ? dtype : "own";
}

/** The dtype of a merged tensor where the recipe has no `out_dtype`; undefined for the dtype of the models. */
export function mergedDType(recipe: Recipe): DType | undefined {
  const widened = recipe.arithmetic === "mergekit" && methodOf(recipe).mergekit === "never";
  return widened ? "F32" : recipe.dtype;
}

/** Without `dtype`, mergekit computes in the dtype of the models, which must then be one, and one that torch computes in. */
export function workingProblems(recipe: Recipe, slots: readonly Slot[], tensors: readonly MatchedTensor[]): string[] {
  const remarks = new TensorRemarks();
  if (workingDType(recipe) !== "own") return [];
  for (const { tensor, action, sources } of tensors) {
    if (action === "copy") continue;
    const dtypes = new Set(
      sources.flatMap((source, slot) => (slots[slot]?.kind === "companion" || !source ? [] : source.dtype)),
    );
    const [own = ""] = dtypes;
    if (dtypes.size > 1)
      remarks.add(
        `%: the models' dtypes differ (${[...dtypes].join(", ")}): give the \`dtype\` that mergekit's arithmetic casts to`,
        tensor.name,
      );
    else if (!isWorkingDType(own))
      remarks.add(
        `%: mergekit does not compute in ${own}: give a \`dtype\`, or leave out \`arithmetic: mergekit\``,
        tensor.name,
      );
  }
  return remarks.lines();
}
