// The README's commands do what it says: the quick ones are run, the others are held to the options that the commands have.
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { blocksOf, ROOT, readPage } from "./markdown.ts";

const NOT_RUN = "not run by a test";
const page = readPage("README.md");
const shell = blocksOf("README.md").filter(({ language }) => language === "sh");
const commands = shell.flatMap(({ note, text }) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ note, line, args: line.split(" ").slice(2) })),
);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "amalgam-docs-"));
  const family = join(ROOT, "examples", "quickstart");
  for (const name of ["base", "expert-sentiment", "expert-speech"])
    await cp(join(family, name), join(folder, name), { recursive: true });
  await mkdir(join(folder, "out"));
  const recipe = blocksOf("README.md").find(({ language, text }) => language === "yaml" && text.includes("ties"));
  await writeFile(join(folder, "recipe.yaml"), recipe!.text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Paths as the README writes them start from the repository, or from the folder of its example. */
const located = (arg: string): string => {
  if (arg.startsWith("examples/")) return join(ROOT, arg);
  return arg === "recipe.yaml" || arg.startsWith("out/") ? join(folder, arg) : arg;
};

test.for(commands.filter(({ note }) => note !== NOT_RUN && note !== "cluster"))(
  "$line works",
  async ({ line, args }) => {
    expect(line).toMatch(/^npx amalgam /);
    const { code, stdout, stderr } = await run(...args.map(located));
    expect(code, stderr).toBe(0);
    expect(stdout).not.toBe("");
    if (args[0] === "merge") expect(await readdir(located(args[2]!))).toContain("amalgam.json");
  },
);

test("every command and option that the README names exists", async () => {
  const written = [
    ...commands.map(({ line }) => line),
    ...[...page.matchAll(/`(npx amalgam [^`]+)`/g)].map(([, line = ""]) => line),
  ].filter((line) => line.startsWith("npx amalgam "));
  expect(written.length).toBeGreaterThan(8);
  const help = new Map<string, string>();
  for (const line of written) {
    const [, , command = "", ...args] = line.split(" ");
    if (!help.has(command)) help.set(command, (await run(command, "--help")).stdout);
    expect(help.get(command), line).toContain(`Usage: amalgam ${command}`);
    for (const option of args.filter((arg) => arg.startsWith("--"))) expect(help.get(command), line).toContain(option);
  }
  const all = [...help.values(), (await run("coordinator", "--help")).stdout].join("\n");
  const spoken = [...page.matchAll(/`(--[a-z-]+)/g)].map(([, option = ""]) => option);
  for (const option of spoken) expect(all, option).toContain(option);
});

test("the exit statuses are those of --help, of the error codes and of signals", async () => {
  const { ERROR_CODES, exitCodeOf, AmalgamError } = await import("@amalgam/runtime");
  const listIn = (text: string): string | undefined =>
    /\b0 done, .*? terminated\./.exec(text.replace(/\s+/g, " "))?.[0];
  const list = listIn(page);
  expect(list).toBe(listIn((await run("--help")).stdout));
  const listed = list?.match(/\b\d+\b/g)?.map(Number) ?? [];
  const { SIGHUP, SIGPIPE, SIGTERM } = constants.signals;
  const signals = [SIGHUP, SIGPIPE, SIGTERM].map((signal) => 128 + signal);
  const known = new Set([0, 64, ...signals, ...ERROR_CODES.map((code) => exitCodeOf(new AmalgamError(code, "")))]);
  expect(listed).toEqual([...known].toSorted((a, b) => a - b));
});
