// Builds an ONNX graph node by node. Knows no expression. Operators: https://onnx.ai/onnx/operators, opset 20.
import { type Field, message } from "./protobuf.ts";

/** Numbers of TensorProto.DataType. */
const TYPES = {
  float: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e5m2: 19,
} as const;
export type ElementType = keyof typeof TYPES;

/** The name of a tensor in the graph. */
export type Value = string & { readonly value: unique symbol };

const OPSET = 20;
const IR_VERSION = 10;
const EXTERNAL = 1;
const INT_ATTRIBUTE = 2;

export class OnnxBuilder {
  private readonly nodes: Field[] = [];
  private readonly initializers: Field[] = [];
  private readonly inputs: Field[] = [];
  private readonly outputs: Field[] = [];
  private readonly constants = new Map<string, Value>();
  private count = 0;

  /** An input fed at every run: one value, or one for each element. */
  input(name: string, type: ElementType): Value {
    this.inputs.push([11, valueInfo(name, type, undefined)]);
    return name as Value;
  }

  /** A tensor of `elements` whose bytes lie in the model's external data, at the offset. */
  external(name: string, type: ElementType, elements: number, location: string, offset: number, bytes: number): Value {
    const entry = (key: string, value: string): Field => [
      13,
      message([
        [1, key],
        [2, value],
      ]),
    ];
    this.initializers.push([
      5,
      message([
        [1, elements],
        [2, TYPES[type]],
        [8, name],
        entry("location", location),
        entry("offset", String(offset)),
        entry("length", String(bytes)),
        [14, EXTERNAL],
      ]),
    ]);
    return name as Value;
  }

  /** A constant vector of one or more values; equal constants are stored once. */
  constant(type: "float" | "int32" | "uint32" | "int64", values: readonly number[]): Value {
    const key = `${type} ${values.map((x) => (Object.is(x, -0) ? "-0" : x)).join()}`;
    let name = this.constants.get(key);
    if (name === undefined) {
      name = `constant_${this.constants.size}` as Value;
      this.constants.set(key, name);
      const raw = new Uint8Array(ARRAYS[type](values).buffer);
      this.initializers.push([
        5,
        message([
          [1, values.length],
          [2, TYPES[type]],
          [8, name],
          [9, raw],
        ]),
      ]);
    }
    return name;
  }

  /** Appends an operator with one output; attributes are integers or texts. */
  op(opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, number | string>> = {}): Value {
    const output = `${opType}_${this.count++}`;
    this.nodes.push([
      1,
      message([
        ...inputs.map((input): Field => [1, input]),
        [2, output],
        [3, output],
        [4, opType],
        ...Object.entries(attributes).map(([name, value]): Field => {
          const typed: Field[] =
            typeof value === "number"
              ? [
                  [3, value],
                  [20, INT_ATTRIBUTE],
                ]
              : [
                  [4, value],
                  [20, 3],
                ];
          return [5, message([[1, name], ...typed])];
        }),
      ]),
    ]);
    return output as Value;
  }

  /** Names a vector as a graph output. */
  output(name: string, value: Value, type: ElementType, elements: number): void {
    this.nodes.push([
      1,
      message([
        [1, value],
        [2, name],
        [3, `output_${name}`],
        [4, "Identity"],
      ]),
    ]);
    this.outputs.push([12, valueInfo(name, type, elements)]);
  }

  /** The bytes of an `.onnx` file. */
  build(name: string): Uint8Array {
    const graph = message([...this.nodes, [2, name], ...this.initializers, ...this.inputs, ...this.outputs]);
    return message([
      [1, IR_VERSION],
      [2, "amalgam"],
      [7, graph],
      [
        8,
        message([
          [1, ""],
          [2, OPSET],
        ]),
      ],
    ]);
  }
}

const ARRAYS = {
  float: (values: readonly number[]) => Float32Array.from(values),
  int32: (values: readonly number[]) => Int32Array.from(values),
  uint32: (values: readonly number[]) => Uint32Array.from(values),
  int64: (values: readonly number[]) => BigInt64Array.from(values, BigInt),
};

/** A vector; without a length, of any. */
function valueInfo(name: string, type: ElementType, elements: number | undefined): Uint8Array {
  const dimension: Field = elements === undefined ? [2, `any_${name}`] : [1, elements];
  const shape = message([[1, message([dimension])]]);
  return message([
    [1, name],
    [
      2,
      message([
        [
          1,
          message([
            [1, TYPES[type]],
            [2, shape],
          ]),
        ],
      ]),
    ],
  ]);
}
