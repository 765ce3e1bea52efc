import fc from "fast-check";
import { expect, test } from "vitest";
import { createMemoryPool, type MemoryBlock } from "./memory-pool.ts";

const PAGE = 65_536;

function makePool(pages: number) {
  const discarded: string[] = [];
  const pool = createMemoryPool<string>({
    mostBytes: pages * PAGE,
    budgetBytes: () => pages * PAGE,
    onDiscard: (contents) => discarded.push(contents),
  });
  const acquire = (key: string, size: number): MemoryBlock<string> | undefined => {
    const block = pool.acquire(key, size * PAGE);
    if (block !== undefined) block.contents ??= key;
    return block;
  };
  return { pool, acquire, discarded };
}

test("a kept shard is found again with its contents", () => {
  const { pool, acquire } = makePool(10);
  const first = acquire("a", 2)!;
  pool.release(first, true);
  expect(pool.peek("a")).toBe("a");
  expect(acquire("a", 2)).toBe(first);
  expect(first.contents).toBe("a");
});

test("a busy shard must be waited for, even when there is room", () => {
  const { acquire } = makePool(10);
  acquire("a", 2);
  expect(acquire("a", 2)).toBeUndefined();
});

test("the resident shard unused for longest makes room", () => {
  const { pool, acquire, discarded } = makePool(4);
  for (const key of ["a", "b"]) pool.release(acquire(key, 2)!, true);
  pool.release(acquire("a", 2)!, true);
  acquire("c", 2);
  expect(discarded).toEqual(["b"]);
  expect(pool.peek("a")).toBe("a");
});

test("memory that was given back is used again instead of made anew", () => {
  const { pool, acquire } = makePool(10);
  const first = acquire("a", 3)!;
  pool.release(first, false);
  expect(acquire("b", 2)!.memory).toBe(first.memory);
});

test("an idle block that is too small is made larger instead of dropped, and shows its new size", () => {
  const { pool, acquire } = makePool(4);
  const small = acquire("a", 1)!;
  pool.release(small, false);
  const large = acquire("b", 4)!;
  expect(large.memory).toBe(small.memory);
  expect(large.memory.buffer.byteLength).toBe(4 * PAGE);
  expect(pool.totalBytes).toBe(4 * PAGE);
});

test("blocks that are too small one by one make room together", () => {
  const { pool, acquire, discarded } = makePool(4);
  for (const key of ["a", "b", "c"]) pool.release(acquire(key, 1)!, true);
  expect(acquire("d", 4)).toBeDefined();
  expect(discarded.toSorted()).toEqual(["a", "b", "c"]);
  expect(pool.totalBytes).toBe(4 * PAGE);
});

test("a lease waits while busy blocks fill the budget", () => {
  const { pool, acquire } = makePool(4);
  const busy = acquire("a", 3)!;
  expect(acquire("b", 2)).toBeUndefined();
  pool.release(busy, false);
  expect(acquire("b", 2)).toBeDefined();
});

test("a shard larger than the budget is refused with both numbers", () => {
  const { acquire } = makePool(4);
  expect(() => acquire("a", 5)).toThrow(/needs 327680 bytes of memory, this worker may use 262144/);
});

test("forgetting a job blanks its resident shards only", () => {
  const { pool, acquire, discarded } = makePool(8);
  for (const key of ["one/0", "one/1", "two/0"]) pool.release(acquire(key, 1)!, true);
  pool.forget("one/");
  expect(discarded.toSorted()).toEqual(["one/0", "one/1"]);
  expect(pool.peek("two/0")).toBe("two/0");
});

test("whatever is asked for, blocks never exceed the budget and no block is lent twice", () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c", "d"),
    pages: fc.integer({ min: 1, max: 4 }),
    keep: fc.boolean(),
    releaseFirst: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { pool, acquire } = makePool(6);
      const lent: MemoryBlock<string>[] = [];
      for (const { key, pages, keep, releaseFirst } of steps) {
        if (releaseFirst && lent.length > 0) pool.release(lent.shift()!, keep);
        const block = acquire(key, pages);
        if (block === undefined) continue;
        expect(lent).not.toContain(block);
        expect(block.memory.buffer.byteLength).toBeGreaterThanOrEqual(pages * PAGE);
        lent.push(block);
        expect(pool.totalBytes).toBeLessThanOrEqual(6 * PAGE);
      }
    }),
    { numRuns: 50 },
  );
});
