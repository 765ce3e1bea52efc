// Task files whose validation split is the first part of the family's own. The order of the items there is that of a hash, so the first part is a fair sample.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { scratch } from "./families.ts";

interface TaskFile {
  readonly splits: Readonly<Record<string, string>>;
}

/** Paths of the task files, the family's own where `share` is 1. */
export async function tasksWithShare(
  family: string,
  directory: string,
  tasks: readonly string[],
  share: number,
): Promise<string[]> {
  const folder = join(directory, "tasks");
  if (share === 1) return tasks.map((task) => join(folder, `${task}.yaml`));
  const to = join(scratch, "tasks", `${family}-${share}`);
  await mkdir(to, { recursive: true });
  return Promise.all(
    tasks.map(async (task) => {
      const file = parse(await readFile(join(folder, `${task}.yaml`), "utf8")) as TaskFile;
      for (const [split, name] of Object.entries(file.splits)) {
        const lines = (await readFile(join(folder, name), "utf8")).split("\n").filter(Boolean);
        const kept = split === "validation" ? lines.slice(0, Math.round(share * lines.length)) : lines;
        await writeFile(join(to, name), `${kept.join("\n")}\n`);
      }
      await writeFile(join(to, `${task}.yaml`), stringify(file));
      return join(to, `${task}.yaml`);
    }),
  );
}
