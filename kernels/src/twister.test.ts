// The sequence mergekit draws from: known numbers, and the same at any place however it is reached.
import fc from "fast-check";
import { expect, test } from "vitest";
import { stateAt, Twister } from "./twister.ts";

const numbers = (twister: Twister, index: number, count: number): Float32Array => {
  const into = new Float32Array(count);
  twister.fill(index, into);
  return into;
};

test("the first numbers of a seed are torch's", () => {
  // torch.manual_seed(7); torch.rand(4)
  expect([...numbers(new Twister(7), 0, 4)]).toEqual([
    0.5349225401878357, 0.19880318641662598, 0.6592116951942444, 0.6568902730941772,
  ]);
});

test("the ten thousandth output of seed 5489 is the standard's", () => {
  // C++11 says 4123659995 of mt19937.
  expect(numbers(new Twister(5489), 9999, 1)[0]).toBe((4123659995 % 2 ** 24) / 2 ** 24);
});

test("any place has the numbers that stepping to it gives", () => {
  const stepped = numbers(new Twister(7), 0, 100_000);
  const twister = new Twister(7);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99_000 }), fc.integer({ min: 0, max: 1000 }), (index, count) => {
      expect(numbers(twister, index, count)).toEqual(stepped.subarray(index, index + count));
    }),
  );
});

test("a jump gives the state that stepping gives", () => {
  for (const seed of [0, 7, 2 ** 32 - 1]) {
    const stepped = numbers(new Twister(seed), 0, 45_000);
    for (const index of [0, 1, 623, 624, 19_936, 19_937, 19_938, 44_000]) {
      const jumped = numbers(new Twister(seed, stateAt(seed, index), index), index, 1000);
      expect(jumped, `${seed} at ${index}`).toEqual(stepped.subarray(index, index + 1000));
    }
  }
});

test("jumps add up: two ways to a far place meet", () => {
  const far = 3e12;
  const there = new Twister(7, stateAt(7, far), far);
  const before = new Twister(7, stateAt(7, far - 12_345), far - 12_345);
  expect(numbers(before, far, 2000)).toEqual(numbers(there, far, 2000));
});
