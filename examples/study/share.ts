// A family's tasks with fewer validation items: the first of its own. Their order is that of a hash or a shuffle, so the first are a fair sample.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { scratch } from "./families.ts";

/** Paths of the task files, the family's own where `share` is 1. */
export async function tasksWithShare(
  family: string,
  directory: string,
  tasks: readonly string[],
  share: number,
): Promise<string[]> {
  const from = join(directory, "tasks");
  const to = share === 1 ? from : join(scratch, "tasks", `${family}-${share}`);
  if (share !== 1) {
    await mkdir(to, { recursive: true });
    for (const name of await readdir(from)) {
      const bytes = await readFile(join(from, name));
      await writeFile(join(to, name), name.includes(".validation") ? cut(name, bytes, share) : bytes);
    }
  }
  return tasks.map((task) => join(to, `${task}.yaml`));
}

function cut(name: string, bytes: Buffer, share: number): Buffer | string {
  if (name.endsWith(".gz")) return gzipSync(cutIdx(gunzipSync(bytes), share));
  const lines = bytes.toString("utf8").split("\n").filter(Boolean);
  return `${lines.slice(0, Math.round(share * lines.length)).join("\n")}\n`;
}

/** An IDX file: how many dimensions in the fourth byte, then their sizes, the first of which counts the items. */
function cutIdx(bytes: Buffer, share: number): Buffer {
  const header = 4 + 4 * bytes[3]!;
  const items = bytes.readUInt32BE(4);
  const kept = Math.round(share * items);
  const result = Buffer.from(bytes.subarray(0, header + ((bytes.length - header) / items) * kept));
  result.writeUInt32BE(kept, 4);
  return result;
}
