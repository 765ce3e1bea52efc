import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readDataFiles } from "./data-files.ts";

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "amalgam-data-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return root;
}

const namesOf = async (root: string, path: string): Promise<string[]> => [...(await readDataFiles(root, path)).keys()];

test("a file is itself, a folder its files in the byte order of their paths", async () => {
  const files = { "t.jsonl": "{}", "a/b/2.PNG": "2", "a/b/10.png": "10", "a/B/1.jpg": "1", "a/notes.txt": "no" };
  const root = await folderOf(files);
  expect(await readDataFiles(root, "t.jsonl")).toEqual(new Map([["t.jsonl", Buffer.from("{}")]]));
  expect(await namesOf(root, "a")).toEqual(["a/B/1.jpg", "a/b/10.png", "a/b/2.PNG"]);
  expect((await readDataFiles(root, "a")).get("a/b/10.png")).toEqual(Buffer.from("10"));
});

test("links are followed inside the folder, and refused where they lead out of it", async () => {
  const root = await folderOf({ "task/a/1.png": "1", "secret/2.png": "2" });
  const task = join(root, "task");
  await symlink("1.png", join(task, "a", "again.png"));
  expect(await namesOf(task, "a")).toEqual(["a/1.png", "a/again.png"]);
  await symlink(join(root, "secret", "2.png"), join(task, "a", "out.png"));
  await expect(namesOf(task, "a")).rejects.toThrow("a/out.png: lies outside of the folder of the file that names it");
  await symlink(join(root, "secret"), join(task, "all"));
  await expect(namesOf(task, "all")).rejects.toThrow("all: lies outside of the folder of the file that names it");
  await expect(namesOf(task, "../secret")).rejects.toThrow(
    "../secret: lies outside of the folder of the file that names it",
  );
});

test("a folder without such files, one with too many bytes, and a path that leads nowhere are refused", async () => {
  const root = await folderOf({ "a/1.png": "12345", "a/2.png": "12345", "b/1.txt": "" });
  await expect(namesOf(root, "b")).rejects.toThrow("b: holds no images (.jpg, .jpeg, .png, .webp, .gif)");
  await expect(namesOf(root, "c")).rejects.toThrow("c: cannot read it: no such file or directory");
  await expect(readDataFiles(root, "a", 8)).rejects.toThrow(/^a: holds more than .* MiB/);
});
