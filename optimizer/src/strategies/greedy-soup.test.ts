import fc from "fast-check";
import { expect, test } from "vitest";
import { createGreedySoup, greedySoupTrials } from "./greedy-soup.ts";

const NAMES = ["a", "b", "c", "d"];

/** Runs a whole soup; `score` of the models in it, NaN for a failure. Which trials were asked for, and the soup. */
function soupOf(names: readonly string[], score: (members: readonly string[]) => number) {
  const soup = createGreedySoup(names);
  const asked: string[] = [];
  for (let k = 0; k < greedySoupTrials(names.length); k++) {
    const { id, values } = soup.ask();
    const members = names.filter((name) => values[name] === 1);
    asked.push(members.join(""));
    const value = score(members);
    if (Number.isNaN(value)) soup.fail(id, "not scored");
    else soup.tell(id, { values: [value] });
  }
  const found = soup.recommend();
  return { asked, members: found && names.filter((name) => found.values[name] === 1).join(""), found };
}

test("models are added from the best down, and stay where the score is strictly higher", () => {
  const scores: Record<string, number> = { a: 0.5, b: 0.8, c: 0.7, d: 0.6, bc: 0.8, bd: 0.9, abd: 0.85 };
  const { asked, members, found } = soupOf(NAMES, (each) => scores[each.join("")]!);
  expect(asked).toEqual(["a", "b", "c", "d", "bc", "bd", "abd"]);
  expect(members).toBe("bd");
  expect(found).toMatchObject({ id: 5, observed: { values: [0.9] } });
});

test("of models with equal scores the first is tried first, and adding an equal changes nothing", () => {
  const { asked, members } = soupOf(["a", "b", "c"], () => 0.5);
  expect(asked).toEqual(["a", "b", "c", "ab", "ac"]);
  expect(members).toBe("a");
});

test("a model that cannot be scored is added last, and a soup that cannot be scored is not kept", () => {
  const { asked, members } = soupOf(["a", "b", "c"], (each) => (each.includes("a") ? Number.NaN : each.length));
  expect(asked).toEqual(["a", "b", "c", "bc", "abc"]);
  expect(members).toBe("bc");
  expect(soupOf(["a", "b"], () => Number.NaN).found).toBeUndefined();
});

test("the soup is never worse than the best model, and the same scores give the same trials", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 }), (table) => {
      const score = (each: readonly string[]): number => table[each.reduce((n, m) => n + 2 ** NAMES.indexOf(m), 0)]!;
      const { asked, members, found } = soupOf(NAMES, score);
      expect(found!.observed.values[0]).toBe(score([...members!]));
      for (const name of NAMES) expect(found!.observed.values[0]).toBeGreaterThanOrEqual(score([name]));
      expect(soupOf(NAMES, score).asked).toEqual(asked);
    }),
  );
});

test("an addition is not asked for before all scores are there, nor one more than there are", () => {
  const soup = createGreedySoup(["a", "b"]);
  const [first, second] = [soup.ask(), soup.ask()];
  soup.tell(second.id, { values: [1] });
  expect(() => soup.ask()).toThrow("depends on the scores of all trials before it");
  soup.tell(first.id, { values: [0] });
  soup.tell(first.id, { values: [9] });
  expect(soup.ask().values).toEqual({ a: 1, b: 1 });
  expect(() => soup.ask()).toThrow("the soup is complete");
  expect(() => soup.tell(7, { values: [1] })).toThrow("trial 7 was not asked for");
  expect(() => createGreedySoup([])).toThrow("at least one model");
});
