/**
 * Which values have the items on axis 0: those that data inputs flow into, and those that are made as long as such a value, as a class token is that
 * is repeated for every item.
 */

import type { NodeProto } from "onnx-buf";
import { attributeOf } from "./constants.ts";

export interface Known {
  readonly rank: (value: string) => number | undefined;
  readonly numbers: (value: string) => readonly number[] | undefined;
}

export function valuesWithItems(
  nodes: readonly NodeProto[],
  dataInputs: readonly string[],
  { rank, numbers }: Known,
): ReadonlySet<string> {
  const found = new Set(dataInputs.filter((name) => rank(name) !== 0));
  /** Integers whose first is the number of items. */
  const counts = new Set<string>();
  const isCount = (node: NodeProto): boolean => {
    const [first = "", second = "", third = ""] = node.input;
    switch (node.opType) {
      case "Shape":
        return found.has(first) && Number(attributeOf(node, "start")?.i ?? 0) === 0;
      case "Cast":
      case "Concat":
      case "Identity":
      case "Reshape":
      case "Squeeze":
      case "Unsqueeze":
        return counts.has(first);
      case "Gather":
      case "Slice":
        return counts.has(first) && numbers(second)?.[0] === 0;
      case "Where":
        return counts.has(second) || counts.has(third);
      default:
        return false;
    }
  };
  for (const node of nodes) {
    const { opType, input, output } = node;
    const count = isCount(node);
    const sized =
      (opType === "Expand" && counts.has(input[1]!)) || (opType === "ConstantOfShape" && counts.has(input[0]!));
    const reached = opType !== "Shape" && opType !== "Size" && input.some((name) => found.has(name));
    for (const name of output) {
      if (count) counts.add(name);
      else if (sized || (reached && rank(name) !== 0)) found.add(name);
    }
  }
  return found;
}
