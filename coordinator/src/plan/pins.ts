/** The pins of a plan: what its references meant when their headers were read. */
import { pinnedReference } from "@amalgam/checkpoint";
import { joinReference, type Pins, splitReference } from "../recipe/index.ts";
import type { SlotHeader } from "./types.ts";

export function pinsOf(headers: readonly SlotHeader[]): Pins {
  const pins: Record<string, string> = {};
  for (const { slot, checkpoint } of headers) {
    const { base, adapter } = slot.companion === undefined ? splitReference(slot.path) : { base: slot.path };
    const pinned = joinReference({
      base: pinnedReference(base, checkpoint.root),
      ...(adapter !== undefined && { adapter: pinnedReference(adapter, checkpoint.adapter ?? adapter) }),
    });
    if (slot.named && pinned !== slot.path) pins[slot.path] = pinned;
  }
  return pins;
}
