import { expect, test } from "vitest";
import { formatBytes, formatCount, formatDuration } from "./units.ts";

test("bytes have decimal units and three digits at most", () => {
  const shown = [0, 999, 1000, 9_990, 20_500_000, 123_456_789, 7e9, 3.2e15].map(formatBytes);
  expect(shown).toEqual(["0 B", "999 B", "1.00 kB", "9.99 kB", "20.5 MB", "123 MB", "7.00 GB", "3200 TB"]);
});

test("counts are exact while they are short, then have three digits", () => {
  const shown = [0, 9_999, 10_000, 542_300, 999_400, 999_600, 1_137_063, 7_240_000_000].map(formatCount);
  expect(shown).toEqual(["0", "9999", "10.0K", "542K", "999K", "1.00M", "1.14M", "7.24B"]);
});

test("durations never show sixty of anything", () => {
  const shown = [0, 999, 1_000, 59_949, 59_960, 119_999, 3_599_999, 5_430_000].map(formatDuration);
  expect(shown).toEqual(["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 0 s", "2 min 0 s", "1 h 0 min", "1 h 31 min"]);
});
