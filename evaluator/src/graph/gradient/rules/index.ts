/** The operators that can be differentiated. */

import type { Rules } from "../rule.ts";
import { activations } from "./activations.ts";
import { arithmetic } from "./arithmetic.ts";
import { convolutions } from "./convolutions.ts";
import { einsums } from "./einsum.ts";
import { matrices } from "./matrices.ts";
import { normalisations } from "./normalisations.ts";
import { pools } from "./pools.ts";
import { reductions } from "./reductions.ts";
import { selections } from "./selections.ts";
import { shapes } from "./shapes.ts";

export const rules: Rules = {
  ...arithmetic,
  ...activations,
  ...convolutions,
  ...einsums,
  ...matrices,
  ...normalisations,
  ...pools,
  ...reductions,
  ...selections,
  ...shapes,
};
