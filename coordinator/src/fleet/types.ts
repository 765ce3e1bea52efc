// What the engine sees of the fleet of shard workers, and what the fleet needs from it.
import type { Hello, LeaseSchema, WorkRequest, WorkResponseSchema } from "@amalgam/proto";
import type { AmalgamError, Logger } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Held } from "./held.ts";

export type LeaseInit = Exclude<MessageInitShape<typeof LeaseSchema>, { $typeName: string }>;
export type WorkResponseInit = MessageInitShape<typeof WorkResponseSchema>;
export type WorkerMessage = WorkRequest["message"];
export type TaskResult = Extract<WorkerMessage, { case: "statisticDone" | "mergeDone" | "writeDone" }>;

/** One task on one shard. `done` or `failed` is called once, unless the task is cancelled first. */
export interface ShardTask {
  /** Unique among the tasks that are not settled. */
  readonly key: string;
  readonly jobId: string;
  readonly shard: number;
  readonly candidateId: string;
  readonly inputBytes: number;
  /** Only workers that offer this back-end get the task. */
  readonly backend: string;
  /** Everything of the lease but its identity. Built when the lease is given, so that waiting tasks cost nothing. */
  lease(): Omit<LeaseInit, "leaseId" | "epoch" | "attempt">;
  done(result: TaskResult, address: string): void;
  failed(error: AmalgamError): void;
}

export interface FleetOptions {
  readonly epoch: number;
  /** A lease ends when its worker has been silent for this long. */
  readonly leaseMs: number;
  /** Attempts on one task before it fails with the last reason. */
  readonly maxAttempts: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  now(): number;
  /** Whether anything is still wanted for a job; workers free what they keep of others. */
  isOpen(jobId: string): boolean;
  /** Called after any change of workers or tasks. */
  changed(): void;
  attempt(outcome: "done" | "failed" | "lost" | "stale"): void;
}

export interface WorkerSession {
  receive(message: WorkerMessage): void;
  close(): void;
}

export interface Fleet {
  /** @throws Error when a task with this key is not settled yet */
  submit(task: ShardTask): void;
  /** Forgets the job's tasks, waiting and leased; late results for them are ignored. */
  cancel(jobId: string): void;
  held(jobId: string, candidateId: string, shard: number): Held | undefined;
  /** The holder could not deliver: the shard must be merged again. */
  lost(jobId: string, candidateId: string, shard: number): void;
  /** Nothing more is wanted for these candidates: ends their tasks and has their merged shards freed. */
  drop(jobId: string, candidateIds: readonly string[]): void;
  /** Nothing more is wanted for the job: ends its tasks and has everything freed that workers keep of it. */
  forget(jobId: string): void;
  connect(hello: Hello, send: (message: WorkResponseInit) => void, end: () => void): WorkerSession;
  /**
   * To be called several times per leaseMs. Ends the sessions of workers that have been silent for leaseMs, and gives out tasks that
   * waited after a failure.
   */
  tick(): void;
  readonly workers: number;
  /** Whether some worker can merge with the back-end. */
  offers(backend: string): boolean;
  readonly slots: { readonly used: number; readonly total: number };
}
