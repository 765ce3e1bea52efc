// What a pass over a sample reads: the beginning of every block of the tensors concerned, not the whole shard.
import { dtypeBytes } from "@amalgam/checkpoint";
import { BLOCK_ELEMENTS, decodeState, elementsRead } from "@amalgam/kernels";
import { segmentProgram } from "./programs.ts";
import type { InputRange, ShardLayout } from "./shard-layout.ts";
import type { ShardTask, VariantTask } from "./thread-protocol.ts";

/**
 * The ranges of the given slots that the task reads, in the order of the files; undefined when it needs all of the shard. Only
 * for files where a short read costs little.
 */
export function sampledRanges(
  task: ShardTask,
  variant: VariantTask,
  layout: ShardLayout,
  slots: ReadonlySet<number>,
): InputRange[] | undefined {
  if (task.kind !== "statistic") return undefined;
  const states = new Map(task.states.map(({ tensor, data }) => [tensor, decodeState(data)]));
  const sampled: InputRange[] = [];
  for (const segment of layout.segments) {
    const state = states.get("") ?? states.get(segment.tensor);
    if (segment.copySlot !== undefined || segment.group !== task.group || state === undefined) continue;
    const elements = elementsRead(segmentProgram(variant, segment).graph, state);
    if (elements >= BLOCK_ELEMENTS) return undefined;
    for (const [slot, input] of segment.inputs.entries()) {
      if (input === undefined || !slots.has(slot)) continue;
      if (input.steps.length > 0) return undefined;
      const size = dtypeBytes(input.dtype);
      for (const range of input.ranges) {
        for (let at = 0; at < range.bytes; at += BLOCK_ELEMENTS * size) {
          sampled.push({
            ...range,
            offset: range.offset + at,
            address: range.address + at,
            bytes: Math.min(elements * size, range.bytes - at),
            tensor: segment.tensor,
            slot,
          });
        }
      }
    }
  }
  return sampled.sort((a, b) => a.file - b.file || a.offset - b.offset);
}
