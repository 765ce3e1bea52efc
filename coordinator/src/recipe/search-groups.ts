/** Reads which groups of tensors a coefficient of a search has: `layers`, `outside` and `tensors`. What they cover is the planner's to say. */
import type { NumberParameter } from "@amalgam/kernels";
import { REST } from "./coefficient-groups.ts";
import { readLayerRange } from "./layer-sets.ts";
import type { Located } from "./located.ts";
import type { Entries, Reader } from "./reader.ts";
import type { Coefficient, LayerRange } from "./types.ts";

const MAX_GROUPS = 1000;

type Groups = Pick<Coefficient, "layers" | "outside" | "tensors">;

/** Undefined where a problem was found. */
export function readGroups(
  reader: Reader,
  entries: Entries,
  what: string,
  parameter: NumberParameter,
): Groups | undefined {
  const before = reader.problems.length;
  const written = (["layers", "outside", "tensors"] as const).filter((key) => entries.has(key));
  const node = (key: string): Located | undefined => entries.get(key)?.value;
  const line = entries.get(written[0] ?? "")?.line ?? 0;
  if (written.length > 0 && parameter.constant === true) {
    return reader.fail(
      line,
      `${what} must have one value for all tensors: a statistic over the whole model depends on it`,
    );
  }
  const [layersNode, outsideNode, tensorsNode] = [node("layers"), node("outside"), node("tensors")];
  const layers = layersNode && readLayerGroups(reader, layersNode, `\`layers\` of ${what}`);
  const outside = outsideNode && reader.choice(outsideNode, `\`outside\` of ${what}`, ["own"] as const);
  const tensors = tensorsNode && readKinds(reader, tensorsNode, `\`tensors\` of ${what}`);
  if (outside !== undefined && layersNode === undefined) {
    reader.fail(line, `${what}: \`outside\` says where tensors outside of the layers go, and needs \`layers\``);
  }
  if (reader.problems.length > before) return undefined;
  return {
    ...(layers === undefined ? {} : { layers }),
    ...(outside === undefined ? {} : { outside }),
    ...(tensors === undefined ? {} : { tensors }),
  };
}

function readLayerGroups(reader: Reader, node: Located, what: string): number | LayerRange[] | undefined {
  if (node.kind !== "list")
    return reader.number(node, `${what}, a number of groups,`, { low: 2, high: MAX_GROUPS, integer: true });
  if (node.items.length === 0) return reader.fail(node.line, `${what} is empty: name at least one range of layers`);
  if (node.items.length > MAX_GROUPS) return reader.fail(node.line, `${what} has more than ${MAX_GROUPS} ranges`);
  const ranges = node.items.map((item) => readLayerRange(reader, item, item.line, `each range of ${what}`));
  if (!ranges.every((range) => range !== undefined)) return undefined;
  let next = 0;
  for (const { first, end } of ranges) {
    if (first !== next) {
      const rule = next === 0 ? "the first begins at layer 0" : "each begins where the one before ends";
      return reader.fail(
        node.line,
        `${what}: [${first}, ${end}] should begin at ${next}: ranges follow one another, and ${rule}`,
      );
    }
    next = end;
  }
  return ranges;
}

/** Filters by the name of a kind, in the order in which they are tried. */
function readKinds(reader: Reader, node: Located, what: string): Record<string, string> | undefined {
  if (node.kind !== "map" || node.entries.size === 0) {
    return reader.fail(
      node.line,
      `${what} must be a mapping of names of your choice to filters, such as \`attention: self_attn\``,
    );
  }
  if (node.entries.size > MAX_GROUPS) return reader.fail(node.line, `${what} has more than ${MAX_GROUPS} kinds`);
  const kinds: [string, string][] = [];
  for (const [name, { line, value }] of node.entries) {
    const filter = reader.text(value, `\`${name}\` in ${what}`);
    if (filter === undefined) continue;
    // Numbers would be put in another order by JavaScript, and brackets are what names of coefficients are made of.
    if (!/^\p{L}[^[\]]*$/u.test(name)) {
      reader.fail(line, `${what}: \`${name}\` should begin with a letter and have no brackets`);
    }
    if (kinds.some(([, other]) => other === "*"))
      reader.fail(line, `${what}: nothing is left for \`${name}\` after the filter \`*\``);
    if (name === REST && filter !== "*") {
      reader.fail(line, `${what}: \`${REST}\` is what no other filter matches: give \`${name}\` another name`);
    }
    kinds.push([name, filter]);
  }
  const seen = new Set<string>();
  for (const [name, filter] of kinds) {
    if (seen.has(filter))
      reader.fail(node.line, `${what}: \`${name}\` has the filter of a kind before it, \`${filter}\``);
    seen.add(filter);
  }
  return Object.fromEntries(kinds);
}
