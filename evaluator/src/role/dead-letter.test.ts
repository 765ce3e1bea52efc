import { EvaluationSchema, type ScoreReport, ScoreReportSchema } from "@amalgam/proto";
import { type Bus, createMemoryBus } from "@amalgam/runtime";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { reportDeadLetter } from "./evaluator.ts";

async function nextReport(bus: Bus): Promise<ScoreReport> {
  for await (const delivery of bus.queue("scores").pull({ signal: AbortSignal.timeout(5_000) })) {
    return fromBinary(ScoreReportSchema, delivery.data);
  }
  throw new Error("no report came");
}

test("an evaluation that nobody finishes is reported as failed, so that its trial does not wait for ever", async () => {
  await using bus: Bus = createMemoryBus({
    maxDeliveries: 1,
    onDeadLetter: (letter) => reportDeadLetter(bus, "evaluator-1", letter),
  });
  const named = { jobId: "job", candidateId: "t0", task: "sst2", split: "validation", generation: 3 };
  const stop = new AbortController();
  const evaluations = bus.queue("evaluations");
  await evaluations.publish("job/t0/sst2/3", toBinary(EvaluationSchema, create(EvaluationSchema, named)));
  const pulling = (async () => {
    for await (const delivery of evaluations.pull({ signal: stop.signal })) delivery.retry(0);
  })();
  const { outcome, ...report } = await nextReport(bus);
  expect(report).toMatchObject({ ...named, evaluatorId: "evaluator-1" });
  expect(outcome).toMatchObject({ case: "failure", value: { message: expect.stringContaining("none finished it") } });
  expect(await evaluations.depth()).toBe(0);
  stop.abort();
  await pulling;
});
