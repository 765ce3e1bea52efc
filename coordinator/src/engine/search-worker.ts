// The body of a search's thread: takes what became known since the last question, and answers one question at a time.
import { parentPort, workerData } from "node:worker_threads";
import { StudyError, type StudyEvent } from "@amalgam/optimizer";
import type { SearchBasis } from "../job/events.ts";
import { createProposer, type Proposer } from "./proposer.ts";

export type Question = "propose" | "recommend" | "analyse";
export type Answer<Q extends Question> = ReturnType<Proposer[Q]>;

export interface SearchRequest {
  /** Events since the last request, without the proposals made here; all events in the first one. */
  readonly events: readonly StudyEvent[];
  readonly question: Question;
}

export type SearchReply =
  | { readonly kind: "answered"; readonly answer: Answer<Question> }
  /** The events contradict each other, or it is a bug. */
  | { readonly kind: "failed"; readonly message: string; readonly isBug: boolean };

const port = parentPort!;
const basis = workerData as SearchBasis;
let proposer: Proposer | undefined;

port.on("message", ({ events, question }: SearchRequest) => port.postMessage(replyTo(events, question)));

function replyTo(events: readonly StudyEvent[], question: Question): SearchReply {
  try {
    if (proposer === undefined) proposer = createProposer(basis, events);
    else for (const event of events) proposer.apply(event);
    return { kind: "answered", answer: proposer[question]() };
  } catch (thrown) {
    const isBug = !(thrown instanceof StudyError);
    return { kind: "failed", message: thrown instanceof Error ? thrown.message : String(thrown), isBug };
  }
}
