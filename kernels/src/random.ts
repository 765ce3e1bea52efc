// Uniform numbers that depend on nothing but a key and an element's index: the same whatever the order of execution, the
// sharding or the back-end. A keyed integer hash (the constants of triple32, Wellons); wasm/random.ts computes the same.

/** The scalar every call of a graph with random numbers takes: `randomKey(seed, tensor)`. */
export const RANDOM_KEY = "randomKey";
/** The scalars every call of a graph with drawn numbers takes: the generator's seed, and where a stream starts in its sequence. */
export const RANDOM_SEED = "randomSeed";
export const RANDOM_OFFSET = "randomOffset";
export const randomOffset = (stream: number): string => `${RANDOM_OFFSET}[${stream}]`;

function mixed(x: number): number {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The key of a tensor's random numbers in a merge with that seed: an integer below 2^53. */
export function randomKey(seed: number, tensor: string): number {
  let [low, high] = [0x9e3779b9, 0x7f4a7c15];
  for (const c of `${seed} ${tensor}`) {
    const code = c.codePointAt(0)!;
    low = Math.imul(low ^ code, 0x9e3779b1);
    high = Math.imul(high ^ code, 0x5f356495);
    high ^= high >>> 15;
  }
  const first = mixed(low ^ Math.imul(high, 0x2c1b3c6d));
  return (mixed(high ^ Math.imul(first, 0x297a2d39)) >>> 11) * 2 ** 32 + first;
}

/** Two words for one stream of a key's random numbers; each model has a stream of its own. */
export function streamWords(key: number, stream: number): readonly [number, number] {
  const first = mixed((key >>> 0) ^ Math.imul(stream + 1, 0x9e3779b9));
  return [first, mixed(first ^ Math.floor(key / 2 ** 32) ^ Math.imul(stream + 1, 0x85ebca77))];
}

export const ROUNDS = [
  { shift: 17, factor: 0xed5ad4bb },
  { shift: 11, factor: 0xac4c1b51 },
  { shift: 15, factor: 0x31848bab },
] as const;
export const LAST_SHIFT = 14;

/** A multiple of 2^-24 in [0, 1). Elements 2^32 apart have the same. */
export function uniformAt([first, second]: readonly [number, number], index: number): number {
  let x = (index + first) >>> 0;
  ROUNDS.forEach(({ shift, factor }, round) => {
    x = Math.imul(x ^ (x >>> shift), factor);
    if (round === 0) x += second;
    x >>>= 0;
  });
  return ((x ^ (x >>> LAST_SHIFT)) >>> 8) * 2 ** -24;
}
