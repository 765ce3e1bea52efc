/** A task's zero-shot head out of a safetensors file, and whether it fits a model. */

import { parseHeader } from "@amalgam/checkpoint";
import { messageOf } from "../errors.ts";
import type { BuiltModel } from "../graph/families/family.ts";
import type { Matrix, ZeroShotHead } from "../graph/zero-shot.ts";
import { toFloat32 } from "../session/float32.ts";

/** The tensors `weight` [labels, features] and, where there is one, `projection`. Adds a problem for a file that has not just these. */
export function readZeroShotHead(
  path: string,
  bytes: Uint8Array,
  labels: number,
  problems: string[],
): ZeroShotHead | undefined {
  try {
    const tensors = tensorsOf(path, bytes);
    const unknown = [...tensors.keys()].find((name) => name !== "weight" && name !== "projection");
    const [weight, projection] = [tensors.get("weight"), tensors.get("projection")];
    if (unknown !== undefined) problems.push(`${path}: tensor ${unknown}: is neither \`weight\` nor \`projection\``);
    else if (weight === undefined) problems.push(`${path}: has no tensor \`weight\``);
    else if (weight.rows !== labels) problems.push(`${path}: has ${weight.rows} labels, and the task ${labels}`);
    else if (projection !== undefined && projection.rows !== weight.columns) {
      problems.push(`${path}: projects to ${projection.rows} features, and reads ${weight.columns}`);
    } else return { weight, projection };
  } catch (error) {
    problems.push(messageOf(error).startsWith(path) ? messageOf(error) : `${path}: ${messageOf(error)}`);
  }
  return undefined;
}

function tensorsOf(path: string, bytes: Uint8Array): Map<string, Matrix> {
  if (bytes.length < 8) throw new Error("is no safetensors file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const start = 8 + headerBytes;
  if (start > bytes.length) throw new Error("is no safetensors file");
  const { tensors } = parseHeader(bytes.subarray(8, start), bytes.length - start, path);
  return new Map(
    [...tensors.values()].map(({ name, dtype, shape, begin, end }) => {
      const [rows, columns] = shape;
      if (rows === undefined || columns === undefined || shape.length !== 2)
        throw new Error(`tensor ${name}: is no matrix`);
      const data = toFloat32(name, { dtype, shape, bytes: bytes.subarray(start + begin, start + end) });
      if (!data.every(Number.isFinite)) throw new Error(`tensor ${name}: has values that are not finite`);
      return [name, { rows, columns, data }];
    }),
  );
}

/** What of the heads does not fit the model, or one another. */
export function headProblems(
  heads: readonly { readonly task: string; readonly head: ZeroShotHead }[],
  { kind, architecture, features = 0 }: BuiltModel,
): string[] {
  const problems: string[] = [];
  for (const { task, head } of heads) {
    const reads = head.projection?.columns ?? head.weight.columns;
    if (kind !== "image-features")
      problems.push(`task ${task}: has a head, and ${architecture} gives no image features`);
    else if (reads !== features) {
      problems.push(`task ${task}: its head reads ${reads} features, and ${architecture} gives ${features}`);
    } else if (!sameProjection(head, heads[0]!.head)) {
      problems.push(`task ${task}: its head has another projection than that of task ${heads[0]!.task}`);
    }
  }
  return problems;
}

function sameProjection(
  { projection: a, weight }: ZeroShotHead,
  { projection: b, weight: other }: ZeroShotHead,
): boolean {
  if (a === undefined || b === undefined) return a === b && weight.columns === other.columns;
  return a.data.length === b.data.length && a.data.every((value, i) => value === b.data[i]);
}
