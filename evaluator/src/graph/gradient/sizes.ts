/**
 * Sizes that shape inference leaves open because they are computed in the graph from sizes it knows by name, such as those of a position table cut to
 * as many rows as there are tokens.
 */

import type { NodeProto } from "onnx-buf";
import { attributeOf } from "./constants.ts";
import type { Dim } from "./inference.ts";

export interface KnownSizes {
  readonly dims: (value: string) => readonly Dim[] | undefined;
  readonly numbers: (value: string) => readonly number[] | undefined;
}

/** Sizes of values that say more than `known.dims` does, by name. */
export function computedSizes(nodes: readonly NodeProto[], known: KnownSizes): Map<string, readonly Dim[]> {
  const integers = new Map<string, readonly Dim[]>();
  const found = new Map<string, readonly Dim[]>();
  const valuesOf = (name: string | undefined): readonly Dim[] | undefined =>
    name === undefined ? undefined : (known.numbers(name) ?? integers.get(name));
  for (const node of nodes) {
    const [output = ""] = node.output;
    const values = integersOf(node, known, valuesOf);
    if (values?.some((value) => value !== undefined)) integers.set(output, values);
    const dims = known.dims(output);
    const own = dimsOf(node, known, valuesOf);
    if (dims === undefined || own === undefined || own.length !== dims.length) continue;
    const merged = dims.map((dim, axis) => dim ?? own[axis]);
    if (merged.some((dim, axis) => dim !== dims[axis])) found.set(output, merged);
  }
  return found;
}

type Values = (name: string | undefined) => readonly Dim[] | undefined;

/** The elements of an integer tensor, as far as they are numbers or names of sizes. */
function integersOf(node: NodeProto, known: KnownSizes, valuesOf: Values): readonly Dim[] | undefined {
  const [data, second, third, fourth, fifth] = node.input;
  const number = (name: string, otherwise: number): number => Number(attributeOf(node, name)?.i ?? otherwise);
  switch (node.opType) {
    case "Shape":
      return known.dims(data!)?.slice(number("start", 0), attributeOf(node, "end") && number("end", 0));
    case "Cast":
    case "Identity":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze":
      return valuesOf(data);
    case "Concat": {
      const parts = node.input.map((name) => valuesOf(name));
      return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
    }
    case "Gather":
      return known.numbers(second!)?.map((index) => valuesOf(data)?.at(index));
    case "Slice": {
      const stride = fifth ? known.numbers(fifth)?.[0] : 1;
      const [start, end] = [known.numbers(second!)?.[0], known.numbers(third!)?.[0]];
      return stride === 1 && start !== undefined && end !== undefined && (!fourth || known.numbers(fourth)?.[0] === 0)
        ? valuesOf(data)?.slice(start, end)
        : undefined;
    }
    default:
      return undefined;
  }
}

/** Sizes of what a node makes, if integers say them. */
function dimsOf(node: NodeProto, known: KnownSizes, valuesOf: Values): readonly Dim[] | undefined {
  const [data, second, third, fourth, fifth] = node.input;
  switch (node.opType) {
    case "ConstantOfShape":
      return valuesOf(data);
    case "Range": {
      const [first, count, step] = [valuesOf(data)?.[0], valuesOf(second), valuesOf(third)?.[0]];
      return first === 0 && step === 1 ? count : undefined;
    }
    case "Reshape":
      return reshaped(known.dims(data!), valuesOf(second));
    case "Expand":
      return expanded(known.dims(data!), valuesOf(second));
    case "Slice": {
      const dims = known.dims(data!);
      const axes = fourth ? known.numbers(fourth) : dims?.map((_, axis) => axis);
      const [starts, ends] = [known.numbers(second!), valuesOf(third)];
      const strides = fifth ? known.numbers(fifth) : axes?.map(() => 1);
      return dims?.map((dim, axis) => {
        const i = axes?.findIndex((other) => other === axis || other === axis - dims.length) ?? -1;
        if (i === -1) return axes === undefined ? undefined : dim;
        // There are so many as are asked for, or the rest of the graph would not fit.
        if (starts?.[i] !== 0 || strides?.[i] !== 1) return undefined;
        return typeof ends?.[i] === "string" || ends?.[i] === 1 ? ends[i] : undefined;
      });
    }
    default:
      return undefined;
  }
}

/** Zero is the same size as before; -1 is what is left. */
function reshaped(dims: readonly Dim[] | undefined, sizes: readonly Dim[] | undefined): readonly Dim[] | undefined {
  const same = sizes?.map((size, axis) => (size === 0 ? dims?.[axis] : size));
  const others = same?.filter((size) => size !== -1);
  if (dims === undefined || same === undefined || [...dims, ...same].includes(undefined)) return same?.map(known);
  const number = (list: readonly Dim[]): number =>
    list.reduce<number>((a, b) => (typeof b === "number" ? a * b : a), 1);
  const rest = dims.filter((dim) => typeof dim === "string");
  for (const size of others!) {
    if (typeof size === "string" && !rest.includes(size)) return same.map(known);
    if (typeof size === "string") rest.splice(rest.indexOf(size), 1);
  }
  const factor = number(dims) / number(others!);
  const left = rest.length === 0 ? factor : rest.length === 1 && factor === 1 ? rest[0] : undefined;
  return same.map((size) => (size === -1 ? left : size));
}

const known = (size: Dim): Dim => (size === -1 ? undefined : size);

function expanded(dims: readonly Dim[] | undefined, sizes: readonly Dim[] | undefined): readonly Dim[] | undefined {
  if (dims === undefined || sizes === undefined) return undefined;
  const rank = Math.max(dims.length, sizes.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [own, wanted] = [dims, sizes].map((list) =>
      axis < rank - list.length ? 1 : list[axis - rank + list.length],
    );
    return own === 1 ? wanted : wanted === 1 || own === wanted ? own : undefined;
  });
}
