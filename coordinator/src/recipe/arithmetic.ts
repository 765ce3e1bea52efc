/** Reads `arithmetic:`, how a recipe's numbers are computed, and holds other keys to what mergekit's needs. */
import type { DType } from "@amalgam/checkpoint";
import { isWorkingDType } from "@amalgam/kernels";
import type { Entries, Reader } from "./reader.ts";
import type { Recipe } from "./types.ts";

type Arithmetic = Recipe["arithmetic"];
const CHOICES: readonly Arithmetic[] = ["float32", "mergekit"];
/** torch seeds its generator with 32 bits. */
const MOST_SEED = 2 ** 32 - 1;

export function readArithmetic(
  reader: Reader,
  entries: Entries,
  { dtype, seed = 0 }: { readonly dtype?: DType | undefined; readonly seed?: number | undefined },
): Arithmetic {
  const entry = entries.get("arithmetic");
  const arithmetic = entry && reader.choice(entry.value, "`arithmetic`", CHOICES);
  if (arithmetic !== "mergekit") return "float32";
  const lineOf = (key: string): number => entries.get(key)?.line ?? entry?.line ?? 1;
  if (dtype !== undefined && !isWorkingDType(dtype))
    reader.fail(lineOf("dtype"), "with `arithmetic: mergekit`, `dtype` must be float32, bfloat16 or float16");
  if (seed > MOST_SEED) reader.fail(lineOf("seed"), `with \`arithmetic: mergekit\`, \`seed\` is at most ${MOST_SEED}`);
  return arithmetic;
}
