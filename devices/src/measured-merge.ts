// What is measured on every back-end.
import { buildProgram, type Program } from "@amalgam/kernels";

/** A fused merge such as searches repeat: three task vectors in bfloat16, with divisions where signs agree. */
export const MODELS = 3;
export const measuredProgram = (): Program =>
  buildProgram({
    ...{ method: "dare_ties", models: MODELS, hasBase: true, options: { rescale: false, normalize: true } },
    ...{ inputDtypes: Array<"BF16">(MODELS + 1).fill("BF16"), outputDtype: "BF16" },
  });
