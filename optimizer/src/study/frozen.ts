/**
 * A value as it will be read back from JSON, frozen to its leaves: what a live study holds and what a replayed one
 * holds are then the same bits, and the caller's own objects stay the caller's.
 */
export function frozenCopy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, leaf: unknown) => Object.freeze(leaf)) as T;
}
