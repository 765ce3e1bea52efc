/** Sums of products over named axes. */

import { string } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rules } from "../rule.ts";
import type { Step } from "../step.ts";

interface Equation {
  /** The letters of each input's axes. */
  readonly inputs: readonly string[];
  readonly output: string;
}

/** What reaches an input is the product of the gradient and all other inputs, summed over the axes that the input lacks. */
export const einsums: Rules = {
  Einsum: (step, input) => {
    const { inputs, output } = equationOf(step);
    const own = inputs[input]!;
    const others = inputs.toSpliced(input, 1);
    if ([...own].some((letter) => !output.includes(letter) && !others.join("").includes(letter))) {
      throw step.error("sums an axis that one input alone has; sum it before to differentiate");
    }
    const [gradient, target] = lettersOfGradients(step, { inputs, output }, input);
    const equation = `${[gradient, ...others].join(",")}->${target}`;
    const values: readonly Value[] = step.inputs.toSpliced(input, 1);
    return step.with({ equation: string(equation) }, "Einsum", step.dy, ...values);
  },
};

function equationOf(step: Step): Equation {
  const equation = step.string("equation", "").replaceAll(" ", "");
  const [left = "", right] = equation.split("->");
  const inputs = left.split(",");
  if (right === undefined || equation.includes(".") || inputs.some((own) => new Set(own).size < own.length)) {
    throw step.error("can be differentiated with an explicit output, without ellipses and without diagonals");
  }
  return { inputs, output: right };
}

/** The letters of the output's gradient and of an input's, with the items in front where they are kept apart; see `layout.ts`. */
function lettersOfGradients(step: Step, { inputs, output }: Equation, input: number): readonly [string, string] {
  const own = inputs[input]!;
  if (!step.layout.perItem) return [output, own];
  if (!step.hasItems(step.y())) {
    const unused = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].find((letter) => !inputs.join("").includes(letter));
    return [`${unused}${output}`, `${unused}${own}`];
  }
  const items = output.slice(0, 1);
  for (const [i, letters] of inputs.entries()) {
    const apart = step.hasItems(step.x(i)) ? letters.startsWith(items) : !letters.includes(items);
    if (!apart) throw step.error("moves or sums the items, so their gradients cannot be kept apart");
  }
  return [output, step.hasItems(step.x(input)) ? own : `${items}${own}`];
}
