// What other packages' tests of back-ends need.
export { allOperators } from "./all-operators.ts";
export { generator, interpreted, merged, programFor, randomModel } from "./models.ts";
export { optionSets } from "./options.ts";
