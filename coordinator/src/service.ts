// CoordinatorService: translates messages, decides nothing.
import { BACKENDS, isBackend, WASM } from "@amalgam/devices/names";
import type { CoordinatorService, JobView, SubmitJobRequest, WorkRequest, WorkResponseSchema } from "@amalgam/proto";
import { AmalgamError, CHUNK_BYTES, createChannel, type ServiceImpl } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Coordinator } from "./engine/coordinator.ts";

/** `coordinator` is asked for at each call, so that a server can be listening before it is made. */
export function createCoordinatorService(coordinator: () => Coordinator): ServiceImpl<typeof CoordinatorService> {
  return {
    async submitJob(request: SubmitJobRequest) {
      if (request.kind !== "merge" && request.kind !== "search") {
        throw new AmalgamError("invalid_argument", `kind must be "merge" or "search", not "${request.kind}"`);
      }
      const backend = request.backend || WASM;
      if (!isBackend(backend)) throw new AmalgamError("invalid_argument", `backend ${BACKENDS}, not "${backend}"`);
      return coordinator().submit({
        kind: request.kind,
        recipe: request.recipe,
        recipeName: request.recipeName || "recipe",
        baseDirectory: request.baseDirectory,
        outputDirectory: request.outputDirectory,
        overwrite: request.overwrite,
        shardBytes: Number(request.shardBytes),
        digestInputs: request.digestInputs,
        stagesDirectory: request.stagesDirectory,
        backend,
      });
    },
    getJob: async ({ jobId }) => ({ job: coordinator().view(jobId) }),
    listJobs: async () => ({ jobs: coordinator().list() }),
    cancelJob: async ({ jobId }) => ({ job: coordinator().cancel(jobId) }),
    watchJob: ({ jobId }, { signal }) => toResponses(coordinator().watch(jobId, signal)),
    work: (requests, { signal }) => workSession(coordinator(), requests, signal),
    async *readInput({ jobId, file, offset, length }, { signal }) {
      for await (const data of coordinator().readInput(jobId, file, Number(offset), Number(length), signal))
        yield { data };
    },
    async *getStudy({ jobId }) {
      const bytes = new TextEncoder().encode(JSON.stringify(coordinator().study(jobId)));
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield { data: bytes.subarray(at, at + CHUNK_BYTES) };
    },
    async *getEvaluationSpec({ jobId }) {
      const bytes = coordinator().evaluationSpec(jobId);
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield { data: bytes.subarray(at, at + CHUNK_BYTES) };
    },
  };
}

async function* toResponses(views: AsyncIterable<JobView>): AsyncGenerator<{ job: JobView }> {
  for await (const job of views) yield { job };
}

async function* workSession(
  coordinator: Coordinator,
  requests: AsyncIterable<WorkRequest>,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof WorkResponseSchema>> {
  const outbox = createChannel<MessageInitShape<typeof WorkResponseSchema>>();
  const end = (): void => outbox.close();
  signal.addEventListener("abort", end, { once: true });
  const read = async (): Promise<void> => {
    let session: ReturnType<Coordinator["connectWorker"]> | undefined;
    try {
      for await (const { message } of requests) {
        if (session !== undefined) session.receive(message);
        else if (message.case === "hello")
          session = coordinator.connectWorker(message.value, (message) => outbox.push(message), end);
        else throw new AmalgamError("failed_precondition", "a worker's first message must be Hello");
      }
    } finally {
      session?.close();
    }
  };
  // Whichever side ends first: a worker that was given up is not waited for, it hears of it by the end of the stream.
  read().then(end, (error: Error) => outbox.close(error));
  try {
    yield* outbox;
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}
