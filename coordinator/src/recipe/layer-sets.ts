/** Sets of layers of the merged model, as settings and coefficients name them: reading them from YAML, writing them back, and who is in them. */
import type { LayerPlace } from "./layers.ts";
import type { Located } from "./located.ts";
import type { Reader } from "./reader.ts";
import type { LayerRange, LayerSet } from "./types.ts";

/** `[first, end]`, an item of a list whose line is known. */
export function readLayerRange(reader: Reader, node: Located, line: number, what: string): LayerRange | undefined {
  if (node.kind !== "list" || node.items.length !== 2) {
    return reader.fail(line, `${what} must be two numbers: the first layer, and the one after the last`);
  }
  const [first, end] = node.items.map((item) =>
    reader.number(item, `each number of ${what}`, { low: 0, integer: true }),
  );
  if (first === undefined || end === undefined) return undefined;
  if (first < end) return { first, end };
  const none = first === end ? "has no layers" : "is reversed";
  return reader.fail(line, `${what}: [${first}, ${end}] ${none}: the second number is the layer after the last`);
}

/** `[first, end]`, `2/4` (the second quarter) or `outside`. */
export function readLayerSet(reader: Reader, node: Located, what: string): LayerSet | undefined {
  if (node.kind === "list") {
    const range = readLayerRange(reader, node, node.line, what);
    return range && { kind: "range", ...range };
  }
  const text = node.kind === "scalar" ? node.value : undefined;
  if (text === "outside") return { kind: "outside" };
  const [, part, of] = (typeof text === "string" && /^(\d{1,9})\/(\d{1,9})$/.exec(text)) || [];
  if (part !== undefined && Number(part) >= 1 && Number(part) <= Number(of)) {
    return { kind: "share", part: Number(part), of: Number(of) };
  }
  return reader.fail(
    node.line,
    `${what} must be a range such as [0, 4], a share such as 1/4 (the first quarter of the layers), or \`outside\``,
  );
}

/** What `readLayerSet` reads as this set. */
export function layerSetDocument(set: LayerSet): string | readonly [number, number] {
  switch (set.kind) {
    case "range":
      return [set.first, set.end];
    case "share":
      return `${set.part}/${set.of}`;
    case "outside":
      return set.kind;
    default:
      return set satisfies never;
  }
}

export function isInLayerSet(set: LayerSet, { index, nearest }: LayerPlace): boolean {
  switch (set.kind) {
    case "range":
      return nearest.index >= set.first && nearest.index < set.end;
    case "share":
      return Math.floor((nearest.index * set.of) / nearest.count) === set.part - 1;
    case "outside":
      return index < 0;
    default:
      return set satisfies never;
  }
}
