/**
 * Parts of a split, so that a candidate can be judged by some of its items first. The items are cut into `pieces` of equal size (to one
 * item) by a fixed pseudo-random order, so that a piece is a fair sample however the file is sorted; a pure function of their number.
 */

/** Pieces `[first, end)` of `pieces`. */
export interface Part {
  readonly pieces: number;
  readonly first: number;
  readonly end: number;
}

export const WHOLE: Part = { pieces: 1, first: 0, end: 1 };

/** Items of the part in their own order; none where there are fewer items than pieces. */
export function itemsOfPart(items: number, { pieces, first, end }: Part): number[] {
  const order = Array.from({ length: items }, (_, item) => item);
  if (pieces > 1) order.sort((a, b) => mix(a) - mix(b));
  return order.slice(Math.ceil((first * items) / pieces), Math.ceil((end * items) / pieces)).sort((a, b) => a - b);
}

/** A bijection of 32-bit integers that looks random (the finaliser of MurmurHash3), so no two items are equal. */
function mix(item: number): number {
  let bits = item | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
