// What is compared: each entry is a search with the same number of trials, or a merge without any number to choose.

/** Parts of a recipe, as its YAML has them. */
type Section = Readonly<Record<string, unknown>>;

export interface Entry {
  readonly name: string;
  readonly merge_method: string;
  readonly parameters: Section;
  /** Absent: nothing is chosen, so nothing is tried. */
  readonly coefficients?: Section;
  /** Where the importance comes from; absent for methods without. */
  readonly fisher?: Section;
  /** Share of the validation items that trials are scored on, and estimates made of. */
  readonly share?: number;
  readonly trials?: number;
}

/** One scale of the merge, as the literature chooses it on validation data. */
const scale = (low: number, high: number): Section => ({ per: "recipe", low, high });
const perModel: Section = { weight: { per: "model", low: 0, high: 1 } };
/** The recipe of the quickstart: how the importance is estimated unless an entry is about just that. */
export const estimate = { items: 300, estimator: "sampled" };
const byNorm: Section = { normalize: "l2" };

export const dfMerge: Entry = {
  name: "DF-Merge",
  merge_method: "df_merge",
  parameters: byNorm,
  coefficients: perModel,
  fisher: { estimate: "per_trial", ...estimate },
};

/** Rows of the main table beside the models and DF-Merge. */
export const rivals: readonly Entry[] = [
  { name: "average", merge_method: "linear", parameters: { weight: 1 } },
  {
    name: "task arithmetic",
    merge_method: "task_arithmetic",
    parameters: { weight: 1 },
    coefficients: { lambda: scale(0, 1) },
  },
  {
    name: "TIES",
    merge_method: "ties_official",
    parameters: {},
    coefficients: { lambda: scale(0.5, 2.5), density: scale(0.05, 0.6) },
  },
  {
    name: "DARE",
    merge_method: "dare_linear",
    parameters: { weight: 1, rescale_by: "inverse_density" },
    coefficients: { lambda: scale(0, 1), density: scale(0.1, 1) },
  },
  {
    name: "PCB",
    merge_method: "pcb",
    parameters: { weight: 1 },
    coefficients: { lambda: scale(0.5, 3), density: scale(0.05, 0.6) },
  },
  { name: "Fisher", merge_method: "fisher", parameters: { weight: 1, floor: 0 } },
  { name: "Fisher, divided by its norm", merge_method: "fisher", parameters: { weight: 1, floor: 0, ...byNorm } },
  {
    name: "search without Fisher",
    merge_method: "task_arithmetic",
    parameters: {},
    coefficients: perModel,
  },
  {
    name: "search with static Fisher",
    merge_method: "df_merge",
    parameters: byNorm,
    coefficients: perModel,
    fisher: { estimate: "once", ...estimate },
  },
];

const variant = (name: string, changes: Partial<Entry>): Entry => ({ ...dfMerge, ...changes, name });
const estimated = (items: number, estimator: string): Partial<Entry> => ({
  fisher: { estimate: "per_trial", items, estimator },
});

/** DF-Merge with one thing changed. */
export const variants: readonly Entry[] = [
  ...[10, 30, 100].map((items) => variant(`DF-Merge, exact, ${items} items`, estimated(items, "exact"))),
  ...[30, 100].map((items) => variant(`DF-Merge, sampled, ${items} items`, estimated(items, "sampled"))),
  variant("DF-Merge, not divided by the norm", { parameters: {} }),
  variant("DF-Merge as published (exact, 30 items, not divided)", { parameters: {}, ...estimated(30, "exact") }),
];

/** The main searches with less validation data. */
export const shares: readonly Entry[] = [0.05, 0.3].flatMap((share) =>
  [dfMerge, rivals.find(({ name }) => name === "search without Fisher")!, rivals[1]!].map((entry) => ({
    ...entry,
    name: `${entry.name}, ${Math.round(100 * share)} % of validation`,
    share,
  })),
);
