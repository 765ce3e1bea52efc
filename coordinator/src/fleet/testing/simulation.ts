/**
 * A fleet among workers that die, fall silent, pause, lose leases, fail, answer twice or late, leave and come back: one seed is
 * one run, in simulated time. Messages keep their order within a session, as on a stream.
 */
import { type Lease, LeaseSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import type { Fleet } from "../fleet.ts";
import {
  type Answer,
  createTestFleet,
  heartbeat,
  LEASE_MS,
  LEAVING,
  leaseFailed,
  mergeDone,
  settled,
  type TestFleet,
  type TestTask,
  testTask,
} from "./fleet.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly workers: number;
  readonly shards: number;
  readonly maxAttempts: number;
  /** Chance of each kind of trouble per lease. */
  readonly trouble: number;
}

export interface SimulationResult extends TestFleet {
  readonly tasks: readonly TestTask[];
  /** Tasks of the candidate that was dropped on the way, with how often each was settled by then. */
  readonly dropped: ReadonlyMap<TestTask, number>;
  /** Every lease that was given, with the task's key. */
  readonly leases: readonly { readonly lease: Lease; readonly key: string }[];
  /** What must never happen. */
  readonly violations: readonly string[];
  /** Tasks without an end after all the time there is. */
  readonly stuck: readonly string[];
}

const TROUBLE_UNTIL_MS = 30 * LEASE_MS;
const GIVE_UP_MS = 200 * LEASE_MS;
const CANDIDATES = ["t0", "t1", "t2"];

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const test = createTestFleet({ maxAttempts: options.maxAttempts });
  const { fleet, clock } = test;
  const random = createRandom(options.seed);
  const queue: { at: number; order: number; run: () => void }[] = [];
  const leases: { lease: Lease; key: string }[] = [];
  const violations: string[] = [];
  let order = 0;
  const after = (ms: number, run: () => void): void => void queue.push({ at: clock.now + ms, order: order++, run });

  const tasks: TestTask[] = [];
  const jobs = { a: CANDIDATES, b: CANDIDATES.slice(0, 1) };
  for (const [jobId, candidates] of Object.entries(jobs)) {
    for (const candidateId of candidates) {
      after(random() * 5 * LEASE_MS, () => {
        for (let shard = 0; shard < options.shards; shard++) {
          const task = testTask(shard, { jobId, candidateId, keepInputs: jobId === "a" });
          tasks.push(task);
          fleet.submit(task);
        }
      });
    }
  }
  const dropped = new Map<TestTask, number>();
  after(6 * LEASE_MS, () => {
    for (const task of tasks) if (task.jobId === "a" && task.candidateId === "t2") dropped.set(task, ends(task));
    fleet.drop("a", ["t2"]);
  });
  for (let index = 0; index < options.workers; index++) {
    const trouble = (): number => (clock.now < TROUBLE_UNTIL_MS ? options.trouble : 0);
    runWorker({ workerId: `w${index}`, fleet, random, after, trouble, leases, violations });
  }
  const tick = (): void => {
    fleet.tick();
    after(LEASE_MS / 8, tick);
  };
  tick();

  const isOpen = (task: TestTask): boolean => ends(task) === 0 && !dropped.has(task);
  const expected = options.shards * (CANDIDATES.length + 1);
  while (clock.now < GIVE_UP_MS && (tasks.length < expected || dropped.size === 0 || tasks.some(isOpen))) {
    queue.sort((a, b) => a.at - b.at || a.order - b.order);
    const next = queue.shift();
    if (next === undefined) break;
    clock.now = next.at;
    next.run();
    await settled();
    const { used, total } = fleet.slots;
    if (used > total) violations.push(`${used} leases for ${total} slots`);
  }
  return { ...test, tasks, dropped, leases, violations, stuck: tasks.filter(isOpen).map(({ key }) => key) };
}

export const ends = ({ results, errors }: TestTask): number => results.length + errors.length;

interface WorkerContext {
  readonly workerId: string;
  readonly fleet: Fleet;
  readonly random: () => number;
  readonly after: (ms: number, run: () => void) => void;
  readonly trouble: () => number;
  readonly leases: { lease: Lease; key: string }[];
  readonly violations: string[];
}

/** One session after the other, for ever. */
function runWorker(context: WorkerContext): void {
  const { workerId, fleet, random, after, trouble, leases, violations } = context;
  const slots = 1 + Math.floor(random() * 3);
  /** Leases of this session that the worker works on. */
  const mine = new Map<string, Lease>();
  let gone = false;
  /** Until then nothing is done, said or heard. */
  let pausedUntil = 0;
  let elapsed = 0;
  let isEnded = false;

  const when = (ms: number, run: () => void): void =>
    after(ms, () => {
      const rest = pausedUntil - elapsed;
      if (!gone) return rest > 0 ? when(rest, run) : run();
    });
  const session = fleet.connect(
    {
      $typeName: "amalgam.v1.Hello",
      workerId,
      address: "",
      slots,
      memoryBytes: 0n,
      backend: "",
      version: "",
      held: [],
    },
    ({ message }) => {
      if (message?.case === "drop") {
        const ids = message.value.candidateIds ?? [];
        after(travel(), () => {
          for (const [id, { candidate }] of mine) if (ids.includes(candidate?.id ?? "")) mine.delete(id);
        });
      }
      if (message?.case !== "lease") return;
      const lease = create(LeaseSchema, message.value);
      if (isEnded) violations.push(`${workerId} got ${lease.leaseId} after the end of its session`);
      leases.push({ lease, key: `${lease.jobId}/${lease.candidate?.id}/m/${lease.shard?.index}` });
      when(travel(), () => take(lease));
    },
    () => {
      isEnded = true;
      after(travel(), again);
    },
  );
  // Messages of a stream do not overtake each other: all travel for as long.
  const latency = random() * 40;
  const travel = (): number => latency;
  const say = (message: Answer): void => after(travel(), () => session.receive(message));
  const again = (): void => {
    if (gone) return;
    gone = true;
    isEnded = true;
    session.close();
    after(random() * LEASE_MS, () => runWorker(context));
  };
  const answer = (lease: Lease): void => {
    if (!mine.delete(lease.leaseId)) return;
    say(mergeDone(lease));
    if (random() < 2 * trouble()) say(mergeDone(lease));
  };
  const take = (lease: Lease): void => {
    mine.set(lease.leaseId, lease);
    const workMs = 10 + random() * 300;
    const luck = Math.floor(random() / Math.max(trouble(), 1e-9));
    if (luck === 0) {
      // Killed: the connection breaks.
      after(workMs, again);
    } else if (luck === 1) {
      // Unplugged: nobody hears of it, until it comes back as a new session.
      gone = true;
      after((0.2 + 3 * random()) * LEASE_MS, () => runWorker(context));
    } else if (luck === 2) {
      // Stopped, and going on later as if nothing had happened.
      pausedUntil = elapsed + 2 * LEASE_MS * random();
      when(workMs, () => answer(lease));
    } else if (luck === 3) mine.delete(lease.leaseId);
    else if (luck === 4) {
      mine.delete(lease.leaseId);
      say(leaseFailed(lease, random() < 0.8 ? "resource_exhausted" : "aborted"));
    } else if (luck === 5) {
      mine.delete(lease.leaseId);
      say(leaseFailed(lease, "out_of_range"));
    } else if (luck === 6) {
      say(LEAVING);
      when(workMs, () => answer(lease));
    } else when(workMs, () => answer(lease));
  };
  const beat = (): void => {
    if (gone) return;
    elapsed += LEASE_MS / 4;
    if (elapsed >= pausedUntil) say(heartbeat(...mine.values()));
    after(LEASE_MS / 4, beat);
  };
  after(LEASE_MS / 4, beat);
}

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
