// The WGSL compiler: a program's output pass as one compute shader, four elements an invocation. Its text depends on the
// program alone; numbers of a call come in a parameter block. See arithmetic.ts for why its bits are those of the
// WebAssembly kernels.
import { dtypeBytes } from "../dtype.ts";
import type { Expr, Operator } from "../expr.ts";
import { type OutputPass, outputPassOf, positionOf, randomWords, scalarRuns } from "../output-pass.ts";
import { LAST_SHIFT, ROUNDS } from "../random.ts";
import type { Program, Scalars } from "../types.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { decoder, storer } from "./dtypes.ts";

export interface WgslKernel {
  /**
   * The shader: entry point `main`, in group 0 the storage buffers 0 parameter block, 1 arena (the inputs' bytes), 2 merged
   * elements (written in whole fours), 3 one word, 0 before: `WGSL_RAN` afterwards, or with `WGSL_DOUBT` when the result may
   * differ from a WebAssembly kernel's and must not be used.
   */
  readonly source: string;
  /** Elements that one workgroup merges. */
  readonly workgroupElements: number;
  /** Positions in the program's inputs of those the arena holds, in its order. */
  readonly inputs: readonly number[];
  /** Word offset of each of them in the arena of a window of so many elements, and the arena's length in words. */
  readonly arena: (elements: number) => { readonly offsets: readonly number[]; readonly words: number };
  /** The parameter block of a window; undefined when a scalar is one that shaders cannot be trusted with. */
  readonly parameters: (window: { first: number; elements: number }, scalars: Scalars) => Uint32Array | undefined;
}

/** Bits of the word that says how a kernel ended. */
export const WGSL_RAN = 1;
export const WGSL_DOUBT = 2;

/** Words before the arena's offsets: zero, elements, the first element's index, and the number of runs. */
const HEADER = 4;
const WORKGROUP = 64;
const LANES = 4;

/** Compiles the output pass. Throws a TypeError for a program that `deviceObstacle` names a reason against. */
export function compileWgsl(program: Program): WgslKernel {
  const pass = outputPassOf(program);
  const calculated = calculatedScalars(pass, program.graph.output);
  const arena = (elements: number): ReturnType<WgslKernel["arena"]> => {
    const sizes = pass.inputDtypes.map((dtype) => Math.ceil((elements * dtypeBytes(dtype)) / 16) * 4);
    const offsets = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
    return { offsets, words: sizes.reduce((a, b) => a + b, 4) };
  };
  return {
    source: shader(program, pass),
    workgroupElements: WORKGROUP * LANES,
    inputs: pass.inputs,
    arena,
    parameters({ first, elements }, scalars) {
      const runs = scalarRuns(pass, program.graph, scalars, first, elements);
      const values = runs.map((run) => [...new Uint32Array(run.values.buffer)]);
      if (values.some((bits) => bits.some(isNaNBits) || calculated.some((i) => isSubnormalBits(bits[i]!))))
        return undefined;
      return Uint32Array.from([
        ...[0, elements, first, runs.length],
        ...arena(elements).offsets,
        ...randomWords(pass, scalars),
        ...runs.flatMap((run, i) => [run.end, ...values[i]!]),
      ]);
    },
  };
}

// Infinities may be: comparing them is exact, and arithmetic with them raises `doubt`.
const isNaNBits = (bits: number): boolean => (bits & 0x7fffffff) > 0x7f800000;
const isSubnormalBits = (bits: number): boolean => (bits & 0x7f800000) === 0 && (bits & 0x7fffff) !== 0;

const COMPARISONS: readonly string[] = ["eq", "ne", "lt", "le", "gt", "ge"];

/** Indexes of the scalars that reach arithmetic. Others, such as thresholds, are only compared, in integers: they may be subnormal. */
function calculatedScalars({ nodes, scalars }: OutputPass, output: Expr): number[] {
  const operands = new Set(nodes.filter((e) => !e.scalar && !COMPARISONS.includes(e.op)).flatMap((e) => e.args));
  return scalars.flatMap((e, i) => (e.type === "f32" && (operands.has(e) || e === output) ? [i] : []));
}

function shader(program: Program, pass: OutputPass): string {
  const words = HEADER + pass.inputs.length;
  const runs = words + 2 * pass.streams.length;
  return `@group(0) @binding(0) var<storage, read> given: array<u32>;
@group(0) @binding(1) var<storage, read> arena: array<u32>;
@group(0) @binding(2) var<storage, read_write> merged: array<u32>;
@group(0) @binding(3) var<storage, read_write> state: atomic<u32>;
${ARITHMETIC}
${[...new Set(pass.inputDtypes)].map(decoder).join("\n")}
${storer(pass.outputDtype)}
${pass.streams.length ? UNIFORM : ""}
fn merge(e: u32) -> u32 {
  var run = ${runs}u;
  while (e >= given[run]) { run += ${pass.scalars.length + 1}u; }
${statements(program, pass, words).join("\n")}
}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  zero = given[0];
  let first = id.x * ${LANES}u;
  if (first == 0u) { atomicOr(&state, ${WGSL_RAN}u); }
  if (first >= given[1]) { return; }
  var values: array<u32, ${LANES}>;
  for (var i = 0u; i < ${LANES}u; i++) { values[i] = merge(min(first + i, given[1] - 1u)); }
  store(first, values);
  if (doubt) { atomicOr(&state, ${WGSL_DOUBT}u); }
}
`;
}

function statements(program: Program, pass: OutputPass, words: number): string[] {
  const names = new Map<Expr, string>();
  const lines = pass.nodes.map((e, i) => {
    const name = `v${i}`;
    names.set(e, name);
    return `  let ${name} = ${value(e)};`;
  });
  function value(e: Expr): string {
    if (e.scalar) {
      const word = `given[run + ${pass.scalars.indexOf(e) + 1}u]`;
      return e.type === "mask" ? `${word} != 0u` : word;
    }
    switch (e.op) {
      case "input": {
        const place = pass.inputs.indexOf(positionOf(e, program.graph));
        return `decode_${pass.inputDtypes[place]}(given[${HEADER + place}], e)`;
      }
      case "random": {
        const word = words + 2 * pass.streams.indexOf(e.stream);
        return `uniform(given[2] + e, given[${word}], given[${word + 1}])`;
      }
      default:
        return operation(
          e.op,
          e.args.map((a) => names.get(a)!),
        );
    }
  }
  return [...lines, `  return ${names.get(program.graph.output)};`];
}

const MASKS: Readonly<Partial<Record<Operator, string>>> = { and: "&", or: "|", xor: "!=" };

function operation(op: string, args: readonly string[]): string {
  const [a, b, c] = args;
  const mask = MASKS[op as Operator];
  if (mask !== undefined) return `${a} ${mask} ${b}`;
  if (op === "not") return `!${a}`;
  if (op === "select") return `select(${c}, ${b}, ${a})`;
  const name = `op${op[0]!.toUpperCase()}${op.slice(1)}`;
  if (!ARITHMETIC.includes(`fn ${name}(`)) throw new TypeError(`${op} has no WGSL`);
  return `${name}(${args.join(", ")})`;
}

/** The hash of random.ts. */
const UNIFORM = `fn uniform(index: u32, first: u32, second: u32) -> u32 {
  var x = index + first;
${ROUNDS.map(({ shift, factor }, round) => `  x = (x ^ (x >> ${shift}u)) * ${factor}u${round === 0 ? " + second" : ""};`).join("\n")}
  return bitcast<u32>(f32((x ^ (x >> ${LAST_SHIFT}u)) >> 8u) * 0x1p-24f);
}`;
