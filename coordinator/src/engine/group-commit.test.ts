import { expect, test } from "vitest";
import { createGroupCommit } from "./group-commit.ts";

function setUp(append?: (events: readonly number[]) => void) {
  const appends: number[][] = [];
  const waits: PromiseWithResolvers<void>[] = [];
  const commit = createGroupCommit<number>(
    (events) => {
      append?.(events);
      appends.push([...events]);
    },
    () => {
      const wait = Promise.withResolvers<void>();
      waits.push(wait);
      return wait.promise;
    },
  );
  return { commit, appends, waits };
}

test("events that come while a group is open are one append, and later ones another", async () => {
  const { commit, appends, waits } = setUp();
  const first = [commit.add(1), commit.add(2)];
  expect(appends).toEqual([]);
  waits[0]!.resolve();
  await Promise.all(first);
  const second = commit.add(3);
  waits[1]!.resolve();
  await second;
  expect(appends).toEqual([[1, 2], [3]]);
});

test("a flush journals what waits, once", async () => {
  const { commit, appends, waits } = setUp();
  const added = commit.add(1);
  commit.flush();
  expect(appends).toEqual([[1]]);
  const later = commit.add(2);
  waits[0]!.resolve();
  await added;
  expect(appends).toEqual([[1]]);
  waits[1]!.resolve();
  await later;
  expect(appends).toEqual([[1], [2]]);
});

test("when nothing more may be journalled everybody who waits hears why, but not those who were flushed", async () => {
  const { commit, appends, waits } = setUp();
  const flushed = commit.add(1);
  commit.flush();
  waits[0]!.reject(new Error("the coordinator stops"));
  await flushed;
  const lost = [commit.add(2), commit.add(3)];
  waits[1]!.reject(new Error("the coordinator stops"));
  for (const each of lost) await expect(each).rejects.toThrow("the coordinator stops");
  expect(appends).toEqual([[1]]);
});

test("a journal that cannot be written is everybody's failure", async () => {
  const { commit, waits } = setUp(() => {
    throw new Error("disk full");
  });
  const added = [commit.add(1), commit.add(2)];
  waits[0]!.resolve();
  for (const each of added) await expect(each).rejects.toThrow("disk full");
});
