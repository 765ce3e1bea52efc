// A cluster on this machine for one test: nats-server, a coordinator, shard workers and evaluators, each a process, each of
// which can be killed, paused and started again.
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CoordinatorService, type JobView } from "@amalgam/proto";
import { createClient, type NatsServer, type OwnedClient, poll, startNatsServer } from "@amalgam/runtime";
import { type JournalEvent, readJournal } from "./journal.ts";
import { Program } from "./program.ts";

export interface ClusterOptions {
  /** Journal and NATS store are kept in here. */
  readonly directory: string;
  readonly workers?: number;
  readonly evaluators?: number;
  readonly leaseMs?: number;
}

/** Of the slowest step of the largest job, on a busy machine. */
const JOB_TIMEOUT_MS = 120_000;

export class Cluster implements AsyncDisposable {
  readonly stateDirectory: string;
  readonly natsDirectory: string;
  readonly workers = new Map<string, Program>();
  readonly evaluators = new Map<string, Program>();
  readonly #leaseMs: number;
  #nats: NatsServer | undefined;
  #coordinator: Program | undefined;
  #client: OwnedClient<typeof CoordinatorService> | undefined;
  #address = "127.0.0.1:0";

  private constructor({ directory, leaseMs = 15_000 }: ClusterOptions) {
    this.stateDirectory = join(directory, "state");
    this.natsDirectory = join(directory, "nats");
    this.#leaseMs = leaseMs;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      cluster.#nats = await startNatsServer({ storeDirectory: cluster.natsDirectory });
      await cluster.startCoordinator();
      const names = (what: string, count: number): string[] =>
        Array.from({ length: count }, (_, index) => `${what}-${index + 1}`);
      await Promise.all([
        ...names("worker", options.workers ?? 2).map((name) => cluster.startWorker(name)),
        ...names("evaluator", options.evaluators ?? 1).map((name) => cluster.startEvaluator(name)),
      ]);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nats(): NatsServer {
    return this.#nats!;
  }

  get coordinator(): Program {
    return this.#coordinator!;
  }

  get address(): string {
    return this.#address;
  }

  get client(): OwnedClient<typeof CoordinatorService> {
    return this.#client!;
  }

  /** The first time on a free port, later on the same one. */
  async startCoordinator(): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
    const args = ["--listen", this.#address, "--state", this.stateDirectory, "--lease-ms", `${this.#leaseMs}`];
    this.#coordinator = new Program(["coordinator", ...args, "--nats", this.nats.url, "--json"]);
    this.#address = await this.#coordinator.ready();
    this.#client = createClient(CoordinatorService, this.#address);
  }

  /** kill -9, and a new one on the same state directory. */
  async restartCoordinator(): Promise<void> {
    await this.coordinator.end();
    await this.startCoordinator();
  }

  async startWorker(name: string, ...more: string[]): Promise<Program> {
    const args = ["--id", name, "--coordinator", this.#address, "--threads", "1", "--memory", "256MiB", ...more];
    const worker = new Program(["worker", ...args, "--json"], { name });
    this.workers.set(name, worker);
    await worker.ready();
    return worker;
  }

  async startEvaluator(name: string, ...more: string[]): Promise<Program> {
    const args = ["--id", name, "--nats", this.nats.url, "--threads", "1", "--log-level", "debug", ...more];
    const evaluator = new Program(["evaluator", ...args, "--json"], { name });
    this.evaluators.set(name, evaluator);
    await evaluator.ready();
    return evaluator;
  }

  /** Evaluations that the evaluators finished, whatever came of them; those of killed evaluators included. */
  get evaluations(): number {
    return [...this.evaluators.values()].reduce((sum, { stderr }) => sum + stderr.split('"evaluated"').length - 1, 0);
  }

  /** Submits a search; returns its job id. */
  async submit(
    recipe: string,
    outputDirectory: string,
    { shardBytes = 0, overwrite = false }: { readonly shardBytes?: number; readonly overwrite?: boolean } = {},
  ): Promise<string> {
    const text = await readFile(recipe, "utf8");
    const { jobId } = await this.client.submitJob({
      kind: "search",
      recipe: text,
      recipeName: basename(recipe),
      baseDirectory: dirname(recipe),
      outputDirectory,
      overwrite,
      shardBytes: BigInt(shardBytes),
    });
    return jobId;
  }

  async job(jobId: string): Promise<JobView> {
    return (await this.client.getJob({ jobId })).job!;
  }

  /** Waits until the job is as described, or has ended. */
  async until(jobId: string, what: string, isSo: (job: JobView) => boolean): Promise<JobView> {
    let job: JobView | undefined;
    const probe = async (): Promise<JobView | false> => {
      job = await this.job(jobId);
      return (hasEnded(job) || isSo(job)) && job;
    };
    try {
      return await poll(probe, { what, timeoutMs: JOB_TIMEOUT_MS, intervalMs: 5 });
    } catch (cause) {
      const states = job?.candidates.map(({ id, state, scores }) => `${id} ${state} (${scores.length} scores)`);
      throw new Error(`job ${jobId}, ${job?.state}, ${states?.join(", ")}: waited in vain for ${what}`, { cause });
    }
  }

  /** @throws Error with the job's problem when it did not succeed */
  async finished(jobId: string): Promise<JobView> {
    const job = await this.until(jobId, "end", () => false);
    if (job.state !== "done") throw new Error(`job ${jobId} ${job.state}: ${job.problem}`);
    return job;
  }

  async events(jobId: string): Promise<JournalEvent[]> {
    const all = await readJournal(this.stateDirectory);
    return all.filter(({ job }) => job === jobId).map(({ event }) => event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
    const programs = [...this.workers.values(), ...this.evaluators.values(), this.#coordinator];
    await Promise.all(programs.map((program) => program?.[Symbol.asyncDispose]()));
    await this.#nats?.[Symbol.asyncDispose]();
  }
}

export const hasEnded = ({ state }: JobView): boolean => ["done", "failed", "cancelled"].includes(state);

/** Grows with everything that a job records. */
export const progress = ({ candidates, shardsWritten }: JobView): number =>
  candidates.length + candidates.reduce((sum, { scores }) => sum + scores.length, 0) + shardsWritten;
