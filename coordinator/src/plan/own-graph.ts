/** Reads a recipe's ONNX file, which evaluators hold to their rules; the coordinator only hands it on. */
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { EvaluateSection } from "../recipe/index.ts";

export interface OwnGraph {
  /** Path as the recipe writes it. */
  readonly path: string;
  readonly onnx: Uint8Array;
}

/** A graph whose weights lie in the checkpoint has kilobytes; exporters put larger weights into a file of their own. */
const MAX_BYTES = 1024 * 2 ** 20;

/** `problems` receives the reason why it cannot be read. */
export async function readGraph(
  { graph: path }: EvaluateSection,
  directory: string,
  problems: string[],
): Promise<OwnGraph | undefined> {
  if (path === undefined) return undefined;
  const file = resolve(directory, path);
  try {
    const { size } = await stat(file);
    if (size <= MAX_BYTES) return { path, onnx: await readFile(file) };
    problems.push(`${path}: has ${size} bytes, more than ${MAX_BYTES}: export the graph without its weights`);
  } catch (error) {
    problems.push(`${path}: cannot be read: ${(error as Error).message}`);
  }
  return undefined;
}
