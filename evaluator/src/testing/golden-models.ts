/** Tiny checkpoints written by transformers, with the numbers that it computes from them; see tests/golden/transformers. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../tests/golden/transformers", import.meta.url));

/** Names in the order of their files; `expected` is the family's own. */
export interface GoldenModel<Expected> {
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly expected: Expected;
}

export async function readGoldenModel<Expected>(name: string): Promise<GoldenModel<Expected>> {
  const directory = `${root}/${name}`;
  const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(`${directory}/${file}`, "utf8"));
  return {
    directory,
    config: (await read("config.json")) as Readonly<Record<string, unknown>>,
    expected: (await read("expected.json")) as Expected,
  };
}
