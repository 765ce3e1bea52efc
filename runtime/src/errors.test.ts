import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AmalgamError, ERROR_CODES, exitCodeOf, isRetryable, toAmalgamError } from "./errors.ts";

const codeOf = (thrown: unknown) => toAmalgamError(thrown).code;

test("an AmalgamError passes through the funnel unchanged", () => {
  const error = new AmalgamError("not_found", "no shard 7", { cause: "x" });
  expect(toAmalgamError(error)).toBe(error);
});

test("another package's error keeps its message and code when the code is one of ours", () => {
  const foreign = Object.assign(new Error("bad header"), { code: "data_loss" });
  expect(toAmalgamError(foreign)).toMatchObject({ code: "data_loss", message: "bad header", cause: foreign });
});

test("system errors, aborts and timeouts get the fitting code, everything else is internal", async () => {
  let missing: unknown;
  try {
    readFileSync("/nowhere/at/all");
  } catch (thrown) {
    missing = thrown;
  }
  expect(codeOf(missing)).toBe("not_found");
  expect(codeOf(Object.assign(new Error("full"), { code: "ENOSPC" }))).toBe("resource_exhausted");
  expect(codeOf(AbortSignal.abort().reason)).toBe("cancelled");
  const timeout = AbortSignal.timeout(0);
  await new Promise((resolve) => timeout.addEventListener("abort", resolve));
  expect(codeOf(timeout.reason)).toBe("deadline_exceeded");
  expect(codeOf(new TypeError("x is undefined"))).toBe("internal");
  expect(codeOf("a string")).toBe("internal");
  expect(codeOf(undefined)).toBe("internal");
});

test("every code has an exit status that is not success, and only passing trouble is retried", () => {
  for (const code of ERROR_CODES) expect(exitCodeOf(new AmalgamError(code, "x"))).toBeGreaterThan(63);
  expect(exitCodeOf(new AmalgamError("invalid_argument", "x"))).toBe(65);
  expect(exitCodeOf(new AmalgamError("cancelled", "x"))).toBe(130);
  expect(ERROR_CODES.filter(isRetryable)).toEqual(["resource_exhausted", "aborted", "unavailable"]);
});
