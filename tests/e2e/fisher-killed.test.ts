// `amalgam fisher` dies by kill -9 between two groups of tensors: no file appears, and the same command goes on from what was summed.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "@amalgam/runtime";
import { expect, test } from "vitest";
import { ROOT } from "../docs/markdown.ts";
import { Program, run } from "../harness/program.ts";

const quickstart = join(ROOT, "examples", "quickstart");

test("killed midway, the same command goes on, with the bytes of an undisturbed run", async () => {
  const directory = await mkdtemp(join(tmpdir(), "amalgam-fisher-killed-"));
  // Groups of one tensor each: what is complete of them is kept.
  const argsFor = (file: string): string[] => [
    ...["fisher", join(quickstart, "expert-sentiment"), "--task", join(quickstart, "tasks", "sentiment.yaml")],
    ...["--items", "300", "--memory", "1MB", "--tensors", "layer.2.*(dense|LayerNorm).bias", "-o", file],
  ];
  const list = (): Promise<string[]> => readdir(directory, { recursive: true });
  try {
    const killed = join(directory, "killed.safetensors");
    {
      await using program = new Program(argsFor(killed));
      const kept = async (): Promise<boolean> =>
        (await list()).some((name) => /scratch.[0-9a-f]{64}\.safetensors$/.test(name));
      await poll(async () => program.hasExited || (await kept()), { what: "sums on the disk", timeoutMs: 60_000 });
      await program.end("SIGKILL");
    }
    expect((await readdir(directory)).includes("killed.safetensors")).toBe(false);
    const left = (await list()).filter((name) => /[0-9a-f]{64}\.safetensors$/.test(name));
    expect(left).not.toEqual([]);
    const again = await run(...argsFor(killed));
    expect(again.code, again.stderr).toBe(0);
    expect(await readdir(directory)).toEqual(["killed.safetensors"]);

    const alone = join(directory, "alone.safetensors");
    expect((await run(...argsFor(alone))).code).toBe(0);
    expect((await readFile(killed)).equals(await readFile(alone))).toBe(true);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
