// What the candidates of a job are merged with beside weights: for each given slot 1, or the importance of a model, estimated where
// the candidate's coefficients scale it to. A function of recipe, plan and coefficients.
import { createHash } from "node:crypto";
import { estimateId } from "../job/estimates.ts";
import { type EstimateTasks, type Plan, type PlannedVariant, slotFinder } from "../plan/index.ts";
import { estimatedVariant, FISHER, importancePoints, variantWithCoefficients } from "../recipe/index.ts";

/** An estimate that some candidate is merged with. */
export interface PlannedEstimate {
  /** Equal for candidates that scale the model alike. */
  readonly id: string;
  /** Name of the model. */
  readonly model: string;
  /** On whose items it is made. */
  readonly task: string;
  /** Merges the scaled model. */
  readonly planned: PlannedVariant;
}

/** What a given slot of a candidate holds. */
export interface GivenSlot {
  readonly slot: number;
  /** Id of an estimate; undefined: 1 everywhere. */
  readonly estimate: string | undefined;
}

export interface JobImportance {
  /** In the order of the slots of the variant's models; empty for most merges. */
  of(planned: PlannedVariant, coefficients: Readonly<Record<string, number>>): readonly GivenSlot[];
  /** An estimate that `of` has named. */
  get(id: string): PlannedEstimate | undefined;
}

/** @param tasks by estimated model */
export function jobImportance({ recipe, slots, variants }: Plan, { tasks }: EstimateTasks): JobImportance {
  const find = slotFinder(slots);
  const known = new Map<string, PlannedEstimate>();
  const estimated = variants.filter(({ variant }) => variant.role === "estimated");

  return {
    of({ variant }, coefficients) {
      const settled = variantWithCoefficients(recipe, variant, coefficients);
      return importancePoints(recipe, settled).map(({ model, scale }) => {
        const slot = find.companion(FISHER, model.path);
        if (scale === undefined) return { slot, estimate: undefined };
        const index = estimated.findIndex(({ variant: { merge } }) => merge.models[0]!.path === model.path);
        const digest = createHash("sha256").update(JSON.stringify(scale)).digest("hex").slice(0, 12);
        const id = estimateId(index, digest);
        if (!known.has(id)) {
          const planned = { ...estimated[index]!, variant: estimatedVariant(model, recipe.base, scale) };
          known.set(id, { id, model: model.name, task: tasks[index]!, planned });
        }
        return { slot, estimate: id };
      });
    },
    get: (id) => known.get(id),
  };
}
