// The 32-bit generator that fixes the constants of test problems, because any language can reproduce it in a few lines.

/** Numbers in [0, 1) on a 2^-32 grid. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= (t + Math.imul(t ^ (t >>> 7), t | 61)) | 0;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
