// Journals events that can wait for each other with one append instead of one each: every append waits for the disk, and while
// shards are written the disk is busy.

export interface GroupCommit<E> {
  /** Resolves when the event is journalled; rejects with what kept it, or its group, from it. */
  add(event: E): Promise<void>;
  /** Journals now what waits. */
  flush(): void;
}

/** @param wait how long a group is open to others, from its first event on; rejects when nothing more may be journalled */
export function createGroupCommit<E>(
  append: (events: readonly E[]) => void,
  wait: () => Promise<void>,
): GroupCommit<E> {
  let group: { readonly events: E[]; readonly committed: Promise<void> } | undefined;
  const flush = (): void => {
    const events = group?.events.splice(0) ?? [];
    group = undefined;
    if (events.length > 0) append(events);
  };
  return {
    add(event) {
      if (group === undefined) {
        const events: E[] = [];
        const committed = wait().then(
          () => (group?.events === events ? flush() : undefined),
          (reason: unknown) => {
            if (group?.events === events) group = undefined;
            // What was flushed meanwhile is journalled.
            if (events.length > 0) throw reason;
          },
        );
        group = { events, committed };
      }
      group.events.push(event);
      return group.committed;
    },
    flush,
  };
}
