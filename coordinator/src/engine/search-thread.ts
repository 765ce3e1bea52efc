// The near side of a search's thread: the optimizer may compute for seconds, and the coordinator has leases to extend meanwhile.
// A thread that dies is replaced by one that replays the search's events; it holds nothing else.
import { Worker } from "node:worker_threads";
import type { StudyEvent } from "@amalgam/optimizer";
import { AmalgamError, type Logger } from "@amalgam/runtime";
import type { SearchBasis } from "../job/events.ts";
import type { Answer, Question, SearchReply, SearchRequest } from "./search-worker.ts";

export interface SearchThread extends AsyncDisposable {
  /**
   * Asks about the search that `events` lead to; they begin with those of the call before, its proposal included. One call at a time.
   * @throws AmalgamError failed_precondition when the events contradict each other, internal when the thread dies twice,
   *   cancelled when it is closed
   */
  answer<Q extends Question>(events: readonly StudyEvent[], question: Q): Promise<Answer<Q>>;
}

const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./search-worker.ts" : "./search-worker.js", import.meta.url);

/** Of one question. A thread that dies of the question itself would die of it again. */
const MAX_ATTEMPTS = 2;

/** What the study has recorded itself. */
const isProposal = (reply: SearchReply): boolean =>
  reply.kind === "answered" && reply.answer !== undefined && "kind" in reply.answer && reply.answer.kind === "trial";

class ThreadDied extends Error {}

export function createSearchThread(basis: SearchBasis, log: Logger): SearchThread {
  let thread: { readonly worker: Worker; readonly died: Promise<never>; known: number } | undefined;
  let closed = false;

  const start = (): NonNullable<typeof thread> => {
    const worker = new Worker(ENTRY, { workerData: basis });
    const { promise: died, reject } = Promise.withResolvers<never>();
    died.catch(() => undefined);
    const isDead = (error: ThreadDied): void => {
      if (thread?.worker === worker) thread = undefined;
      reject(error);
    };
    worker.once("error", (error) => isDead(new ThreadDied(error.message, { cause: error })));
    worker.once("exit", () => isDead(new ThreadDied("it ended")));
    return { worker, died, known: 0 };
  };

  const askOnce = async (events: readonly StudyEvent[], question: Question): Promise<SearchReply> => {
    thread ??= start();
    const { worker, died, known } = thread;
    const replied = Promise.withResolvers<SearchReply>();
    worker.once("message", replied.resolve);
    worker.postMessage({ events: events.slice(known), question } satisfies SearchRequest);
    const reply = await Promise.race([replied.promise, died]);
    thread.known = events.length + (isProposal(reply) ? 1 : 0);
    return reply;
  };

  return {
    async answer<Q extends Question>(events: readonly StudyEvent[], question: Q): Promise<Answer<Q>> {
      for (let attempt = 1; ; attempt++) {
        if (closed) throw new AmalgamError("cancelled", "the search was closed");
        try {
          const reply = await askOnce(events, question);
          if (reply.kind === "answered") return reply.answer as Answer<Q>;
          throw new AmalgamError(
            reply.isBug ? "internal" : "failed_precondition",
            `the optimizer cannot ${question}: ${reply.message}`,
          );
        } catch (error) {
          if (!(error instanceof ThreadDied)) throw error;
          if (closed) continue;
          log.warn({ err: error, attempt }, "the optimizer's thread died");
          if (attempt === MAX_ATTEMPTS) {
            throw new AmalgamError(
              "internal",
              `the optimizer's thread died ${attempt} times when asked to ${question}: ${error.message}; the same command goes on from here`,
              { cause: error },
            );
          }
        }
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await thread?.worker.terminate();
    },
  };
}
