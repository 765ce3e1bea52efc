// A study replayed from every prefix of its log that ends before an ask.

import type { StudyEvent } from "../study/events.ts";
import { replay, type Study } from "../study/study.ts";

/** For every ask of `study`: its event, and what a replay of the events before it asks, both as JSON. */
export function replayedAsks({ spec, events }: Study): { readonly asked: string; readonly replayed: string }[] {
  const log = JSON.parse(JSON.stringify(events)) as StudyEvent[];
  return log.flatMap((event, index) => {
    if (event.type !== "ask") return [];
    const prefix = replay(spec, log.slice(0, index));
    // An answer in between must change nothing.
    prefix.recommend();
    prefix.ask();
    return [{ asked: JSON.stringify(event), replayed: JSON.stringify(prefix.events.at(-1)) }];
  });
}
