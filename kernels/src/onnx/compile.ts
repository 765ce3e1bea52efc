// The ONNX compiler: a program's output pass over one window as a graph whose tensors are initializers in their own dtypes, so
// that they stay on the device, and whose only inputs are scalars: a trial with other coefficients feeds a few numbers. The
// result is float32: the host rounds it to the output's dtype.
import { dtypeBytes, type FloatDType } from "../dtype.ts";
import type { Expr } from "../expr.ts";
import { type OutputPass, outputPassOf, positionOf, randomWords, scalarRuns } from "../output-pass.ts";
import { LAST_SHIFT, ROUNDS } from "../random.ts";
import type { Program, Scalars } from "../types.ts";
import { type ElementType, OnnxBuilder, type Value } from "./builder.ts";

export interface OnnxFeed {
  readonly name: string;
  readonly type: "float32" | "int32";
  /** One value, or one for each element of the window. */
  readonly data: Float32Array | Int32Array;
}

export interface OnnxGraph {
  /** The bytes of the model. Its tensors are external data at `ONNX_DATA`. */
  readonly model: Uint8Array;
  /** Positions in the program's inputs of those in the external data, in its order, and where each begins. */
  readonly inputs: readonly { readonly input: number; readonly offset: number }[];
  readonly dataBytes: number;
  readonly feeds: (first: number, scalars: Scalars) => OnnxFeed[];
}

/** The location that the model gives for its external data. */
export const ONNX_DATA = "tensors";
/** Outputs: the merged elements, float32, and one number that is 0 when all inputs are finite, else NaN. */
export const ONNX_OUTPUTS = { merged: "merged", check: "check" } as const;

const ALIGNMENT = 64;
const TYPE_OF: Readonly<Record<FloatDType, ElementType>> = {
  F64: "double",
  F32: "float",
  F16: "float16",
  BF16: "bfloat16",
  F8_E4M3: "float8e4m3fn",
  F8_E5M2: "float8e5m2",
};

/** Compiles the output pass for windows of so many elements. Throws a TypeError for an operator that ONNX lacks. */
export function compileOnnx(program: Program, elements: number): OnnxGraph {
  const pass = outputPassOf(program);
  const builder = new OnnxBuilder();
  const { inputs, dataBytes } = layOut(pass, elements);
  const lowered = lower(builder, program, pass, inputs, elements);
  builder.output(ONNX_OUTPUTS.merged, lowered.merged, "float", elements);
  builder.output(ONNX_OUTPUTS.check, lowered.check, "float", 1);
  return {
    model: builder.build(program.spec.method),
    inputs,
    dataBytes,
    feeds: (first, scalars) => feeds(program, pass, first, elements, scalars),
  };
}

function layOut({ inputs, inputDtypes }: OutputPass, elements: number): Pick<OnnxGraph, "inputs" | "dataBytes"> {
  let dataBytes = 0;
  const placed = inputs.map((input, i) => {
    const offset = dataBytes;
    dataBytes += Math.ceil((elements * dtypeBytes(inputDtypes[i]!)) / ALIGNMENT) * ALIGNMENT;
    return { input, offset };
  });
  return { inputs: placed, dataBytes };
}

function feeds(program: Program, pass: OutputPass, first: number, elements: number, scalars: Scalars): OnnxFeed[] {
  const runs = scalarRuns(pass, program.graph, scalars, first, elements);
  const varied = runs.length > 1;
  const uniforms = pass.scalars.flatMap((e, i): OnnxFeed[] => {
    if (e.op === "const") return [];
    const data = new Float32Array(varied ? elements : 1);
    runs.forEach((run, r) => {
      data.fill(run.values[i]!, runs[r - 1]?.end ?? 0, varied ? run.end : 1);
    });
    return [{ name: `scalar_${i}`, type: "float32", data }];
  });
  if (pass.streams.length === 0) return uniforms;
  const words = [first, ...randomWords(pass, scalars)].map((word): OnnxFeed["data"] => Int32Array.of(word));
  return [...uniforms, ...words.map((data, i): OnnxFeed => ({ name: `random_${i}`, type: "int32", data }))];
}

function lower(
  builder: OnnxBuilder,
  program: Program,
  pass: OutputPass,
  inputs: OnnxGraph["inputs"],
  elements: number,
): { merged: Value; check: Value } {
  const values = new Map<Expr, Value>();
  const float = (x: number): Value => builder.constant("float", [x]);
  const finite: Value[] = [];
  const hash = pass.streams.length ? randomHash(builder, elements) : undefined;
  pass.nodes.forEach((e) => {
    values.set(e, lowered(e));
  });
  function lowered(e: Expr): Value {
    if (e.op === "const") return float(e.value);
    if (e.scalar) {
      const fed = builder.input(`scalar_${pass.scalars.indexOf(e)}`, "float");
      return e.type === "mask" ? builder.op("Not", [builder.op("Equal", [fed, float(0)])]) : fed;
    }
    if (e.op === "input") {
      const input = positionOf(e, program.graph);
      const dtype = pass.inputDtypes[pass.inputs.indexOf(input)]!;
      const { offset } = inputs.find((placed) => placed.input === input)!;
      const bytes = elements * dtypeBytes(dtype);
      const stored = builder.external(`input_${input}`, TYPE_OF[dtype], elements, ONNX_DATA, offset, bytes);
      const x = dtype === "F32" ? stored : builder.op("Cast", [stored], { to: 1 });
      finite.push(builder.op("ReduceSum", [builder.op("Sub", [x, x])], { keepdims: 1 }));
      return x;
    }
    if (e.op === "random") return hash!(1 + 2 * pass.streams.indexOf(e.stream));
    return operation(
      builder,
      e.op,
      e.args.map((a) => values.get(a)!),
    );
  }
  const check = finite.reduce((a, b) => builder.op("Add", [a, b]), float(0));
  // A method may do without inputs, or copy one scalar: the output has all elements nevertheless.
  const merged = builder.op("Expand", [values.get(program.graph.output)!, builder.constant("int64", [elements])]);
  return { merged, check };
}

const NAMES: Readonly<Record<string, string>> = {
  ...{ add: "Add", sub: "Sub", mul: "Mul", div: "Div", abs: "Abs", neg: "Neg", sqrt: "Sqrt", floor: "Floor" },
  ...{ eq: "Equal", lt: "Less", le: "LessOrEqual", gt: "Greater", ge: "GreaterOrEqual" },
  ...{ and: "And", or: "Or", xor: "Xor", not: "Not", select: "Where" },
};

function operation(builder: OnnxBuilder, op: string, args: readonly Value[]): Value {
  const [a, b] = args as [Value, Value];
  const name = NAMES[op];
  if (name !== undefined) return builder.op(name, args);
  switch (op) {
    case "ne":
      return builder.op("Not", [builder.op("Equal", args)]);
    case "min":
      return builder.op("Where", [builder.op("Less", [b, a]), b, a]);
    case "max":
      return builder.op("Where", [builder.op("Less", [a, b]), b, a]);
    case "roundBF16":
    case "roundF16":
      return builder.op("Cast", [builder.op("Cast", [a], { to: op === "roundF16" ? 10 : 16 })], { to: 1 });
    case "powerOfTwo":
      return powerOfTwo(builder, a);
    case "exponent":
      return exponent(builder, a);
    default:
      throw new TypeError(`${op} has no ONNX operator`);
  }
}

/** By a table: no power function is exact on every provider. A NaN, cast to some integer, still finds an entry. */
function powerOfTwo(builder: OnnxBuilder, n: Value): Value {
  const [low, high] = [-126, 127];
  const table = Array.from({ length: high - low + 1 }, (_, i) => 2 ** (i + low));
  const limited = operation(builder, "max", [
    operation(builder, "min", [n, builder.constant("float", [high])]),
    builder.constant("float", [low]),
  ]);
  const index = builder.op("Add", [
    builder.op("Max", [builder.op("Cast", [limited], { to: 6 }), builder.constant("int32", [low])]),
    builder.constant("int32", [-low]),
  ]);
  return builder.op("Gather", [builder.constant("float", table), index]);
}

/** By halving: ONNX cannot look at bits, and multiplying by powers of two is exact. */
function exponent(builder: OnnxBuilder, x: Value): Value {
  const float = (value: number): Value => builder.constant("float", [value]);
  const small = builder.op("Less", [x, float(1)]);
  let rest = builder.op("Where", [small, builder.op("Mul", [x, float(2 ** 126)]), x]);
  let found = builder.op("Where", [small, float(-126), float(0)]);
  for (const step of [64, 32, 16, 8, 4, 2, 1]) {
    const large = builder.op("GreaterOrEqual", [rest, float(2 ** step)]);
    rest = builder.op("Where", [large, builder.op("Mul", [rest, float(2 ** -step)]), rest]);
    found = builder.op("Where", [large, builder.op("Add", [found, float(step)]), found]);
  }
  return found;
}

/** The hash of random.ts. Products and sums are taken as int32, which wraps, shifts as uint32. */
function randomHash(builder: OnnxBuilder, elements: number): (word: number) => Value {
  const cast = (x: Value, type: "int32" | "uint32" | "float"): Value =>
    builder.op("Cast", [x], { to: { int32: 6, uint32: 12, float: 1 }[type] });
  const shifted = (x: Value, bits: number): Value => {
    const moved = builder.op("BitShift", [cast(x, "uint32"), builder.constant("uint32", [bits])], {
      direction: "RIGHT",
    });
    return builder.op("BitwiseXor", [x, cast(moved, "int32")]);
  };
  const count = builder.constant("int64", [elements]);
  const ones = builder.op("Expand", [builder.constant("int32", [1]), count]);
  const place = builder.op("CumSum", [ones, builder.constant("int32", [0])], { exclusive: 1 });
  const index = builder.op("Add", [place, builder.input("random_0", "int32")]);
  return (word) => {
    const [first, second] = [0, 1].map((i) => builder.input(`random_${word + i}`, "int32")) as [Value, Value];
    let x = builder.op("Add", [index, first]);
    ROUNDS.forEach(({ shift, factor }, round) => {
      x = builder.op("Mul", [shifted(x, shift), builder.constant("int32", [factor | 0])]);
      if (round === 0) x = builder.op("Add", [x, second]);
    });
    const top = builder.op("BitShift", [cast(shifted(x, LAST_SHIFT), "uint32"), builder.constant("uint32", [8])], {
      direction: "RIGHT",
    });
    return builder.op("Mul", [cast(top, "float"), builder.constant("float", [2 ** -24])]);
  };
}
