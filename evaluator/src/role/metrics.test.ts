import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createEvaluatorMetrics } from "./metrics.ts";

test("what an evaluator holds is looked at when it is scraped", async () => {
  const registry = new Registry();
  const metrics = createEvaluatorMetrics(registry, { memoryBytes: 5, fileBytes: 6 });
  const held = { weights: 7, shards: 8 };
  metrics.holds(() => held);
  held.weights = 70;
  const text = await registry.metrics();
  expect(text).toContain('amalgam_evaluator_held_bytes{what="weights"} 70\n');
  expect(text).toContain('amalgam_evaluator_held_bytes{what="shards"} 8\n');
  expect(text).toContain('amalgam_evaluator_held_estimate_bytes{where="file"} 6\n');
});
