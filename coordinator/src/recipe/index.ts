/** Recipes: YAML text to validated settings, their search space, and the merges they ask for. Opens no files. */
export {
  coefficientNamesByModel,
  leftToSearch,
  searchDimensions,
  studyDimensions,
  variantWithCoefficients,
  withCoefficients,
} from "./coefficients.ts";
export {
  estimatedModels,
  estimatedVariant,
  estimatesIn,
  FISHER,
  importanceOf,
  importancePoints,
} from "./importance.ts";
export { requireJobKind } from "./job-kind.ts";
export { type LayerPlace, tensorDepths, tensorLayers } from "./layers.ts";
export { type RecipeOverrides, withOverrides } from "./overrides.ts";
export { type ParseRecipeOptions, parseRecipe, parseStages } from "./parse.ts";
export { partsOf, partTitle } from "./parts.ts";
export { type Pins, pinned } from "./pins.ts";
export { formatProblem, type RecipeProblem, RecipeProblems } from "./problems.ts";
export { joinReference, splitReference } from "./reference.ts";
export { searchStages } from "./search-stages.ts";
export { recipeDocument, stringifyRecipe } from "./serialize.ts";
export { resolveNumber, type TensorPlace } from "./setting.ts";
export { type Stage, stageText } from "./stages.ts";
export type {
  Coefficient,
  Comparison,
  Conditional,
  EvaluateSection,
  FisherSection,
  LayerRange,
  MergeSettings,
  OutputModule,
  OutputSlice,
  Part,
  PartSource,
  Recipe,
  RecipeModel,
  RecipeVariant,
  SearchConstraint,
  SearchDimension,
  SearchObjective,
  SearchSection,
  SearchStage,
  SearchStrategy,
  Setting,
  Settings,
  SettingValue,
  SliceSource,
  TokenizerSection,
  TokenSourceRecipe,
} from "./types.ts";
export { BASE_ROW, variantsOf } from "./variants.ts";
