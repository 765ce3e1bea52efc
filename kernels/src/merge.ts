// Merges whole tensors that are in memory, in one call: for tests, for small models, and as the
// shortest example of how a host drives an executor.
import { dtypeBytes } from "./dtype.ts";
import { createExecutor } from "./executor.ts";
import { mergePartials } from "./statistics/partial.ts";
import { runStage } from "./statistics/stage.ts";
import { BLOCK_ELEMENTS, type Executor, type Program, type Scalars, type Segment, type StageState } from "./types.ts";
import { createMemory } from "./wasm/host.ts";

export interface TensorBytes {
  /** The bytes of each of the graph's inputs. */
  readonly inputs: readonly Uint8Array[];
  readonly elements: number;
  /** Length of the last dimension; needed by rowwise graphs only. */
  readonly rowElements?: number;
  /** The parameters' values for this tensor. */
  readonly scalars: Scalars;
}

export interface MergedTensor {
  readonly bytes: Uint8Array;
  /** FLAG_INPUT_NOT_FINITE, FLAG_OUTPUT_NOT_FINITE. */
  readonly flags: number;
  /** All values the output pass used: parameters and results of statistics. */
  readonly scalars: Scalars;
}

/**
 * Merges tensors that together are the model. Statistics are taken over pieces of `pieceElements` (a multiple of
 * BLOCK_ELEMENTS, and of the rows), by default whole tensors.
 */
export function mergeTensors(
  program: Program,
  tensors: readonly TensorBytes[],
  pieceElements: number = Number.MAX_SAFE_INTEGER,
): MergedTensor[] {
  const { memory, placed } = place(program, tensors);
  const executor = createExecutor(program, memory, 0);
  const found: Scalars[] = tensors.map((t) => t.scalars);
  const all = tensors.map((_, t) => t);
  program.graph.stages.forEach((stage, s) => {
    const groups = stage.scope === "model" ? [all] : all.map((t) => [t]);
    for (const group of groups) {
      if (group[0] === undefined) continue;
      const elements = group.reduce((n, t) => n + tensors[t]!.elements, 0);
      const pass = (state: StageState) =>
        group
          .flatMap((t) => pieces(program, placed[t]!, pieceElements).map((segment) => ({ t, segment })))
          .map(({ t, segment }) => executor.statistic(s, state, segment, found[t]!))
          .reduce(mergePartials);
      const values = runStage(program.graph, s, found[group[0]]!, elements, pass);
      for (const t of group) found[t] = { ...found[t], ...values };
    }
  });
  return tensors.map((t, i) => outputOf(executor, memory.buffer, t, placed[i]!, found[i]!));
}

interface Placed extends Segment {
  readonly output: number;
}

function place(program: Program, tensors: readonly TensorBytes[]) {
  let end = program.scratchBytes;
  const take = (bytes: number): number => {
    const at = end;
    end += bytes;
    return at;
  };
  const placed = tensors.map((t): Placed => {
    const inputs = t.inputs.map((bytes) => take(bytes.length));
    const output = take(t.elements * dtypeBytes(program.spec.outputDtype));
    const segment = { inputs, output, firstElement: 0, elements: t.elements };
    return t.rowElements === undefined ? segment : { ...segment, rowElements: t.rowElements };
  });
  const memory = createMemory(end);
  const bytes = new Uint8Array(memory.buffer);
  tensors.forEach((t, i) => {
    t.inputs.forEach((input, k) => {
      bytes.set(input, placed[i]!.inputs[k]!);
    });
  });
  return { memory, placed };
}

function pieces(program: Program, whole: Placed, pieceElements: number): Segment[] {
  if (pieceElements % BLOCK_ELEMENTS && pieceElements < whole.elements)
    throw new RangeError(`pieces must be a multiple of ${BLOCK_ELEMENTS} elements`);
  const segments: Segment[] = [];
  for (let first = 0; first === 0 || first < whole.elements; first += pieceElements) {
    const inputs = whole.inputs.map((at, i) => at + first * dtypeBytes(program.spec.inputDtypes[i]!));
    const elements = Math.min(pieceElements, whole.elements - first);
    segments.push({ ...whole, inputs, firstElement: first, elements });
  }
  return segments;
}

function outputOf(
  executor: Executor,
  buffer: ArrayBufferLike,
  tensor: TensorBytes,
  placed: Placed,
  scalars: Scalars,
): MergedTensor {
  const flags = executor.output(placed, scalars);
  const length = tensor.elements * dtypeBytes(executor.program.spec.outputDtype);
  return { bytes: new Uint8Array(buffer, placed.output, length).slice(), flags, scalars };
}
