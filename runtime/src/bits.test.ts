import fc from "fast-check";
import { expect, test } from "vitest";
import { packBits, unpackBits } from "./bits.ts";

test("bits are packed eight to a byte, the first lowest, and unpacked as they were", () => {
  expect([...packBits(Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 1, 1))]).toEqual([0b10000101, 1]);
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 1)), (bits) => {
      const given = Uint8Array.from(bits);
      expect(unpackBits(packBits(given), given.length)).toEqual(given);
    }),
  );
});

test("bits that were never given are 0", () => {
  expect([...unpackBits(Uint8Array.of(255), 10)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
});
