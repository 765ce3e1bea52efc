import { CheckpointError } from "@amalgam/checkpoint";
import { expect, test } from "vitest";
import { fileFailure } from "./file-failure.ts";

const failed = (errno?: string): CheckpointError =>
  new CheckpointError({
    file: "/out/model.safetensors",
    rule: "cannot write to it",
    ...(errno === undefined ? {} : { cause: Object.assign(new Error(errno), { code: errno }) }),
  });

test.each([
  ["ENOSPC", "resource_exhausted"],
  ["EDQUOT", "resource_exhausted"],
  ["EMFILE", "resource_exhausted"],
  ["EIO", "internal"],
  ["ENOENT", "failed_precondition"],
  [undefined, "failed_precondition"],
])("%s is %s and the message names the file", (errno, code) => {
  expect(fileFailure(failed(errno))).toMatchObject({
    code,
    message: expect.stringContaining("/out/model.safetensors"),
  });
});

test("a full disk says how much the shard needs", () => {
  expect(fileFailure(failed("ENOSPC"), 4096)).toMatchObject({ message: expect.stringMatching(/needs 4096 bytes/) });
});

test("errors of other kinds pass", () => {
  const error = new Error("something else");
  expect(fileFailure(error)).toBe(error);
});
