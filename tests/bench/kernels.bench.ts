// What kernels cost on this machine, one thread, data in memory: `npx node tests/bench/kernels.bench.ts [--only TEXT] [--elements N]`.
// For every method and option that changes its statistics: user CPU time per element (best of several runs; the machine may be
// shared), of each stage of statistics and of the output pass, and what 1.1 billion parameters would take. Asserts nothing.
import { parseArgs } from "node:util";
import {
  buildProgram,
  createExecutor,
  createMemory,
  type DTypeName,
  dtypeBytes,
  encodeElements,
  METHODS,
  type MergeMethod,
  mergePartials,
  type ProgramSpec,
  runStage,
  type Scalars,
} from "@amalgam/kernels";

const { values: settings } = parseArgs({
  options: { only: { type: "string", default: "" }, elements: { type: "string", default: String(1 << 22) } },
});
const ROW_ELEMENTS = 2048;
const ELEMENTS = Math.ceil(Number(settings.elements) / ROW_ELEMENTS) * ROW_ELEMENTS;
const RUNS = 3;
const MODEL_PARAMETERS = 1.1e9;

interface Case {
  readonly method: MergeMethod;
  readonly dtype: DTypeName;
  readonly models: number;
  readonly options: Readonly<Record<string, boolean | string>>;
}

/** Values that make a method do its usual work; others take their default. */
const VALUES: Readonly<Record<string, number>> = { weight: 0.4, density: 0.5, t: 0.4, select_topk: 0.5, r: 0.1 };

function casesOf(method: MergeMethod): Case[] {
  const models = Math.min(Math.max(3, method.minModels), method.maxModels ?? 3);
  const options = Object.entries(method.parameters).flatMap(([name, parameter]) => {
    if (parameter.kind === "number" || parameter.ignored) return [];
    const choices = parameter.kind === "enum" ? parameter.choices : [false, true];
    return choices.filter((choice) => choice !== parameter.default).map((choice) => ({ [name]: choice }));
  });
  return [{}, ...options].map((set) => ({ method, dtype: "BF16", models, options: set }));
}
const linear = METHODS["linear"]!;
const ties = METHODS["ties"]!;
const cases: Case[] = [
  ...Object.values(METHODS).flatMap(casesOf),
  ...(["F16", "F32", "F8_E4M3"] as const).flatMap((dtype) => [
    { method: linear, dtype, models: 3, options: {} },
    { method: ties, dtype, models: 3, options: {} },
  ]),
  { method: ties, dtype: "BF16", models: 8, options: {} },
];

const memory = createMemory(16 * 4 * ELEMENTS + (1 << 24));

/** Later inputs are close to the first, as fine-tuned models are: few large changes, many small ones. */
function fill(at: number, dtype: DTypeName, input: number): void {
  const uniformFrom = (seed: number) => {
    let state = seed;
    return (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state / 2 ** 31;
    };
  };
  const [base, delta] = [uniformFrom(7), uniformFrom(1000 + input)];
  const values = Float32Array.from({ length: ELEMENTS }, () => {
    const [weight, change] = [0.04 * base(), delta()];
    return input === 0 ? weight : weight + 0.004 * change ** 3;
  });
  new Uint8Array(memory.buffer).set(encodeElements(values, dtype), at);
}

function cpuNsPerElement(run: () => void): number {
  const times = Array.from({ length: RUNS }, () => {
    const before = process.cpuUsage();
    run();
    return (process.cpuUsage(before).user * 1e3) / ELEMENTS;
  });
  return Math.min(...times);
}

const number = (x: number, width: number, digits = 2): string => x.toFixed(digits).padStart(width);
function line(name: string, what: string, ns: number, bytesPerElement: number): void {
  const rate = `${number(ns, 8)} ns/element ${number(bytesPerElement / ns, 7)} GB/s`;
  process.stdout.write(`${name.padEnd(58)} ${what.padEnd(26)} ${rate}\n`);
}

function measure({ method, dtype, models, options }: Case): void {
  const hasBase = method.base === "required";
  const option = Object.entries(options).map(([key, value]) => `, ${key}: ${value}`);
  const name = `${method.name}, ${models} models, ${dtype}${option.join("")}`;
  if (!name.includes(settings.only)) return;
  const inputs = models * (1 + method.companions.length) + (hasBase ? 1 : 0);
  const spec: ProgramSpec = {
    ...{ method: method.name, models, hasBase, options },
    ...{ inputDtypes: Array<DTypeName>(inputs).fill(dtype), outputDtype: dtype },
  };
  const program = buildProgram(spec);
  const executor = createExecutor(program, memory, 0);
  let end = Math.ceil(program.scratchBytes / 64) * 64;
  const take = (): number => {
    const at = end;
    end += ELEMENTS * dtypeBytes(dtype);
    return at;
  };
  const addresses = spec.inputDtypes.map(take);
  addresses.forEach((at, i) => {
    fill(at, dtype, i);
  });
  const segment = { inputs: addresses, firstElement: 0, elements: ELEMENTS, rowElements: ROW_ELEMENTS, output: take() };
  const read = inputs * dtypeBytes(dtype);
  let scalars: Scalars = Object.fromEntries(
    program.graph.parameters.map((parameter) => {
      const key = parameter.replace(/\[.*/u, "");
      const declared = method.parameters[key];
      return [parameter, VALUES[key] ?? (declared?.kind === "number" ? (declared.default ?? 1) : 42)];
    }),
  );
  let total = 0;
  program.graph.stages.forEach((stage, s) => {
    const passes: string[] = [];
    let values: Scalars = {};
    const ns = cpuNsPerElement(() => {
      passes.length = 0;
      values = runStage(program.graph, s, scalars, ELEMENTS, (state) => {
        passes.push(state.status);
        return [executor.statistic(s, state, segment, scalars)].reduce(mergePartials);
      });
    });
    scalars = { ...scalars, ...values };
    total += ns;
    line(`  ${name}`, `${stage.statistics[0]!.kind}, ${passes.length} passes`, ns, read * passes.length);
  });
  const ns = cpuNsPerElement(() => {
    executor.output(segment, scalars);
  });
  line(`  ${name}`, "output", ns, read + dtypeBytes(dtype));
  line(name, `total; 1.1 B: ${number(((total + ns) * MODEL_PARAMETERS) / 1e9, 6)} s`, total + ns, 0);
}

for (const one of cases) measure(one);
