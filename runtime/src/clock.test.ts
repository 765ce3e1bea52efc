import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";
import { poll, systemClock } from "./clock.ts";
import { AmalgamError } from "./errors.ts";

test("a sleep ends with the reason of its signal", async () => {
  const reason = new AmalgamError("cancelled", "stop");
  await expect(systemClock.sleep(60_000, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const aborter = new AbortController();
  const sleep = systemClock.sleep(60_000, { signal: aborter.signal });
  aborter.abort(reason);
  await expect(sleep).rejects.toBe(reason);
});

test("poll returns the first result, asks again after a throw, and says what it waited for in vain", async () => {
  let calls = 0;
  const result = await poll(
    () => {
      calls++;
      if (calls === 1) throw new Error("not yet");
      return calls > 2 ? "ready" : undefined;
    },
    { what: "readiness", timeoutMs: 5_000, intervalMs: 1 },
  );
  expect([result, calls]).toEqual(["ready", 3]);
  const cause = new Error("still not");
  const failing = () => {
    throw cause;
  };
  await expect(poll(failing, { what: "a miracle", timeoutMs: 20, intervalMs: 1 })).rejects.toMatchObject({
    code: "deadline_exceeded",
    message: "waited 20 ms in vain for a miracle",
    cause,
  });
});

test("a backoff is never above its maximum and never above its doubling base", () => {
  fc.assert(
    fc.property(fc.nat(2_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, uniform) => {
      const ms = backoffMs(attempt, { baseMs: 100, maxMs: 5_000, random: () => uniform });
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(Math.min(5_000, 100 * 2 ** attempt));
    }),
  );
});
