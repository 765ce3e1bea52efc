import { createHash } from "node:crypto";
import { buildGraph, graphText } from "@amalgam/kernels";
import { expect, test } from "vitest";
import { requireSameMethod } from "./same-method.ts";

const linear = {
  method: "linear",
  hasBase: false,
  models: 2,
  slots: [0, 1],
  options: { normalize: "false" },
  working: "",
};
const digestOf = (normalize: boolean): string =>
  createHash("sha256")
    .update(graphText(buildGraph({ method: "linear", hasBase: false, models: 2, options: { normalize } })))
    .digest("hex");

test("a method that is the coordinator's passes, also a second time", () => {
  requireSameMethod(linear, digestOf(false));
  requireSameMethod(linear, digestOf(false));
});

test("another program under the same name, and a method that is not known, are refused with what to do", () => {
  const remedy = "give the coordinator and all workers the same version and the same --method files";
  expect(() => requireSameMethod(linear, digestOf(true))).toThrow(
    `the merge method \`linear\` of this worker is not the coordinator's: ${remedy}`,
  );
  expect(() => requireSameMethod({ ...linear, method: "agreement" }, "")).toThrow(
    expect.objectContaining({
      code: "failed_precondition",
      message: `this worker does not know the merge method \`agreement\`: ${remedy}`,
    }),
  );
});
