import type { Lease } from "@amalgam/proto";
import { LeaseSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { noSession, queuedLeases, reduceSession, type SessionEvent, type SessionState } from "./session.ts";

const lease = (leaseId: string, { epoch = 1n, jobId = "job", candidateId = "a" } = {}): Lease =>
  create(LeaseSchema, { leaseId, epoch, jobId, candidate: { id: candidateId } });

const run = (events: SessionEvent[], from: SessionState = noSession): SessionState =>
  events.reduce((state, event) => reduceSession(state, event).state, from);

test("leases wait in the order of their arrival until they are started", () => {
  const state = run([
    { kind: "welcome", epoch: 1n },
    { kind: "lease", lease: lease("1") },
    { kind: "lease", lease: lease("2") },
    { kind: "lease", lease: lease("3") },
    { kind: "started", leaseId: "2" },
  ]);
  expect(queuedLeases(state).map(({ leaseId }) => leaseId)).toEqual(["1", "3"]);
  expect([...state.leases.keys()]).toEqual(["1", "2", "3"]);
});

test("a lease of another epoch is not taken", () => {
  const state = run([
    { kind: "welcome", epoch: 2n },
    { kind: "lease", lease: lease("1", { epoch: 1n }) },
  ]);
  expect(state.leases.size).toBe(0);
});

test("a lease without a session is not taken", () => {
  expect(run([{ kind: "lease", lease: lease("1") }]).leases.size).toBe(0);
});

test("dropping a candidate gives up its leases and no others", () => {
  const before = run([
    { kind: "welcome", epoch: 1n },
    { kind: "lease", lease: lease("1", { candidateId: "a" }) },
    { kind: "lease", lease: lease("2", { candidateId: "b" }) },
    { kind: "lease", lease: lease("3", { candidateId: "a", jobId: "other" }) },
  ]);
  const { state, cancelled } = reduceSession(before, { kind: "drop", jobId: "job", candidateIds: ["a"] });
  expect(cancelled).toEqual(["1"]);
  expect([...state.leases.keys()]).toEqual(["2", "3"]);
});

test("a broken stream voids every lease", () => {
  const before = run([
    { kind: "welcome", epoch: 1n },
    { kind: "lease", lease: lease("1") },
    { kind: "started", leaseId: "1" },
  ]);
  const { state, cancelled } = reduceSession(before, { kind: "closed" });
  expect(cancelled).toEqual(["1"]);
  expect(state).toEqual(noSession);
});

test("whatever happens, running leases are leases held, and all of the session's epoch", () => {
  const id = fc.constantFrom("1", "2", "3");
  const event: fc.Arbitrary<SessionEvent> = fc.oneof(
    fc.record({ kind: fc.constant("welcome" as const), epoch: fc.constantFrom(1n, 2n) }),
    fc.record({
      kind: fc.constant("lease" as const),
      lease: fc.tuple(id, fc.constantFrom(1n, 2n)).map(([leaseId, epoch]) => lease(leaseId, { epoch })),
    }),
    fc.record({ kind: fc.constant("started" as const), leaseId: id }),
    fc.record({ kind: fc.constant("finished" as const), leaseId: id }),
    fc.record({ kind: fc.constant("forget" as const), jobId: fc.constantFrom("job", "other") }),
    fc.constant({ kind: "closed" as const }),
  );
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const state = run(events);
      for (const leaseId of state.running) expect(state.leases.has(leaseId)).toBe(true);
      for (const held of state.leases.values()) expect(held.epoch).toBe(state.epoch);
    }),
  );
});
