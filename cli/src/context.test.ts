import { AmalgamError } from "@amalgam/runtime";
import { afterEach, expect, test, vi } from "vitest";
import { type CommandContext, runCommand, stoppable } from "./context.ts";

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

/** What a command prints, and the exit status it asks for. */
async function outcome(
  work: (context: CommandContext) => Promise<void>,
  json = false,
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += text;
    return true;
  });
  process.exitCode = undefined;
  await runCommand({ json }, work);
  const code = process.exitCode;
  process.exitCode = 0;
  return { code, stdout, stderr };
}

test("bad input is one line and its status", async () => {
  const failing = () => Promise.reject(new AmalgamError("invalid_argument", "recipe.yaml:3: no"));
  expect(await outcome(failing)).toEqual({ code: 65, stdout: "", stderr: "amalgam: recipe.yaml:3: no\n" });
});

test("an error of another package with a code of ours is no bug", async () => {
  const error = Object.assign(new Error("file: rule"), { code: "not_found" });
  expect(await outcome(() => Promise.reject(error))).toMatchObject({ code: 66, stderr: "amalgam: file: rule\n" });
});

test("a bug shows where it is", async () => {
  const { code, stderr } = await outcome(() => Promise.reject(new TypeError("x is undefined")));
  expect(code).toBe(70);
  expect(stderr).toMatch(/^amalgam: x is undefined\nTypeError: x is undefined\n\s+at /);
});

test("programs get the error as JSON too, and numbers for bigints, objects for maps", async () => {
  const { stdout } = await outcome(async ({ printJson }) => {
    printJson({ bytes: 5n, scores: new Map([["a", 1]]) });
    throw new AmalgamError("unavailable", "away");
  }, true);
  const [value, error] = stdout.trimEnd().split("\n");
  expect(JSON.parse(value!)).toEqual({ bytes: 5, scores: { a: 1 } });
  expect(JSON.parse(error!)).toEqual({ error: { code: "unavailable", message: "away" } });
});

test("a stopped command says what that means, whatever its parts say", async () => {
  const result = await outcome((context) =>
    stoppable(context, "stopped; it goes on", async () => {
      process.emit("SIGTERM", "SIGTERM");
      context.signal.throwIfAborted();
    }),
  );
  expect(result).toMatchObject({ code: 143, stderr: "amalgam: stopped; it goes on\n" });
});
