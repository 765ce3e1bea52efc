// How fast kernels run on this machine, one thread, data in memory: `npx node tests/bench/kernels.bench.ts`.
// Prints one line a measurement (best of several runs); asserts nothing.
import {
  buildProgram,
  createExecutor,
  createMemory,
  type DTypeName,
  dtypeBytes,
  mergePartials,
  type ProgramSpec,
  runStage,
  type Scalars,
  type Segment,
} from "@amalgam/kernels";

const ELEMENTS = 1 << 24;
const RUNS = 5;

interface Benchmark {
  readonly name: string;
  readonly spec: ProgramSpec;
  readonly scalars: Scalars;
}

const dtypes = (count: number, dtype: DTypeName): Pick<ProgramSpec, "inputDtypes" | "outputDtype"> => ({
  inputDtypes: Array<DTypeName>(count).fill(dtype),
  outputDtype: dtype,
});
const each = (name: string, models: number, value: number): Scalars =>
  Object.fromEntries(Array.from({ length: models }, (_, i) => [`${name}[${i}]`, value]));
const ties = (models: number, dtype: DTypeName, density: number): Benchmark => ({
  name: `ties, ${models} models, ${dtype}, density ${density}`,
  spec: { method: "ties", models, hasBase: true, options: {}, ...dtypes(models + 1, dtype) },
  scalars: { ...each("weight", models, 0.4), ...each("density", models, density), lambda: 1 },
});
const fisher = (models: number, dtype: DTypeName): Benchmark => ({
  name: `fisher, ${models} models, ${dtype}`,
  spec: { method: "fisher", models, hasBase: false, options: { normalize: "l2" }, ...dtypes(2 * models, dtype) },
  scalars: { ...each("weight", models, 0.4), floor: 1e-6 },
});
const linear = (models: number, dtype: DTypeName): Benchmark => ({
  name: `linear, ${models} models, ${dtype}`,
  spec: { method: "linear", models, hasBase: false, options: {}, ...dtypes(models, dtype) },
  scalars: each("weight", models, 0.4),
});

const benchmarks = [
  linear(3, "BF16"),
  linear(3, "F16"),
  linear(3, "F8_E4M3"),
  ties(3, "BF16", 1),
  ties(3, "BF16", 0.5),
  ties(8, "BF16", 0.5),
  fisher(3, "F32"),
  fisher(3, "BF16"),
];

const memory = createMemory(1024 * 1024 * 1024);
const line = (name: string, bytes: number, ms: number): void => {
  const rate = `${(ELEMENTS / ms / 1e3).toFixed(0).padStart(5)} M params/s ${(bytes / ms / 1e6).toFixed(1).padStart(6)} GB/s`;
  process.stdout.write(`${name.padEnd(60)} ${ms.toFixed(1).padStart(8)} ms ${rate}\n`);
};

function best(run: () => void): number {
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return Math.min(...times);
}

/** Small weights near 0.02, later inputs close to the first, as fine-tuned models are. */
function fill(at: number, dtype: DTypeName, seed: number): void {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  if (dtype === "F32") {
    const to = new Float32Array(memory.buffer, at, ELEMENTS);
    for (let i = 0; i < ELEMENTS; i++) to[i] = (next() - 0.5) * 0.04;
  } else if (dtype === "BF16" || dtype === "F16") {
    const to = new Uint16Array(memory.buffer, at, ELEMENTS);
    const [zero, spread] = dtype === "BF16" ? [0x3c00, 0x200] : [0x2400, 0x800];
    for (let i = 0; i < ELEMENTS; i++) to[i] = zero + next() * spread + (next() < 0.5 ? 0 : 0x8000);
  } else {
    const to = new Uint8Array(memory.buffer, at, ELEMENTS);
    for (let i = 0; i < ELEMENTS; i++) to[i] = (next() * 0x70) | (next() < 0.5 ? 0 : 0x80);
  }
}

for (const { name, spec, scalars } of benchmarks) {
  const program = buildProgram(spec);
  const executor = createExecutor(program, memory, 0);
  let end = Math.ceil(program.scratchBytes / 64) * 64;
  const take = (dtype: DTypeName): number => {
    const at = end;
    end += ELEMENTS * dtypeBytes(dtype);
    return at;
  };
  const inputs = spec.inputDtypes.map((dtype, i) => {
    const at = take(dtype);
    fill(at, dtype, i + 1);
    return at;
  });
  const output = take(spec.outputDtype);
  const segment: Segment = { inputs, firstElement: 0, elements: ELEMENTS };
  const read = spec.inputDtypes.reduce((bytes, d) => bytes + ELEMENTS * dtypeBytes(d), 0);
  let found = scalars;
  program.graph.stages.forEach((stage, s) => {
    let passes = 0;
    const ms = best(() => {
      passes = 0;
      const values = runStage(program.graph, s, found, ELEMENTS, (state) => {
        passes++;
        return [executor.statistic(s, state, segment, found)].reduce(mergePartials);
      });
      found = { ...found, ...values };
    });
    if (passes) line(`  ${name}: ${stage.statistics[0]!.kind}, ${passes} passes`, read * passes, ms);
  });
  const ms = best(() => {
    executor.output({ ...segment, output }, found);
  });
  line(name, read + ELEMENTS * dtypeBytes(spec.outputDtype), ms);
}
