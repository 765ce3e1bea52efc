// `amalgam diff`: how far two checkpoints are apart. Streams both; memory does not grow with the models.
import { type Distance, diffCheckpoints, openCheckpoint, resolveReference } from "@amalgam/checkpoint";
import { AmalgamError } from "@amalgam/runtime";
import type { CommandContext } from "../context.ts";
import { formatTable } from "../render/table.ts";

/** Names on a line, unless every tensor is asked for. */
const NAMED = 5;

export async function run(
  context: CommandContext,
  a: string,
  b: string,
  options: { readonly tensors?: boolean },
): Promise<void> {
  const { signal } = context;
  const open = async (reference: string) => openCheckpoint(await resolveReference(reference), { signal });
  const [left, right] = await Promise.all([open(a), open(b)]);
  const diff = await diffCheckpoints(left, right, { signal });
  if (diff.tensors.size === 0) {
    throw new AmalgamError(
      "invalid_argument",
      `${a} and ${b} have no tensor in common: nothing to compare (amalgam inspect --tensors lists them)`,
    );
  }
  if (context.json) {
    const layers = [...diff.layers].map(([layer, distance]) => ({ layer: layer ?? null, ...distance }));
    return context.printJson({ ...diff, layers });
  }
  const row = (name: string, { l2, relative, cosine, maxAbs }: Distance): string[] => [
    name,
    l2.toPrecision(4),
    relative.toPrecision(4),
    cosine.toFixed(6),
    maxAbs.toPrecision(4),
  ];
  const parts = options.tensors ? diff.tensors : diff.layers;
  const rows = [...parts].map(([name, distance]) => row(name ?? "(outside layers)", distance));
  const header = [options.tensors ? "tensor" : "layer", "L2 of b − a", "relative to a", "cosine", "max |b − a|"];
  for (const line of formatTable(header, [...rows, row("all", diff.total)])) context.print(line);
  for (const [label, names] of [
    ["only in a", diff.onlyInA],
    ["only in b", diff.onlyInB],
    ["in other shapes", diff.reshaped],
  ] as const) {
    if (names.length > 0) context.print(`${label}: ${listed(names, options.tensors ? names.length : NAMED)}`);
  }
}

function listed(names: readonly string[], most: number): string {
  const more = names.length > most ? ` and ${names.length - most} more (--tensors lists them)` : "";
  return names.slice(0, most).join(", ") + more;
}
