// One stream to the coordinator as an object: messages out at any time, responses in, a heartbeat, and an orderly end.

import type { CoordinatorService, HelloSchema, WorkRequestSchema, WorkResponse } from "@amalgam/proto";
import { type Client, createChannel } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";

type Outgoing = MessageInitShape<typeof WorkRequestSchema>;

export interface SessionLink {
  readonly responses: AsyncIterable<WorkResponse>;
  send(message: NonNullable<Outgoing["message"]>): void;
  /** Calls `beat` at that interval until the link is closed. */
  every(intervalMs: number, beat: () => void): void;
  /** Ends our side after what was sent; the coordinator ends its own. */
  end(): void;
  /** Lets go of everything at once. */
  close(): void;
}

/** How long the coordinator may take to end a session that we have ended. */
const GOODBYE_MS = 5_000;

export function openSession(
  coordinator: Client<typeof CoordinatorService>,
  hello: MessageInitShape<typeof HelloSchema>,
): SessionLink {
  const outbox = createChannel<Outgoing>();
  const stop = new AbortController();
  let beating: NodeJS.Timeout | undefined;
  let leaving: NodeJS.Timeout | undefined;
  outbox.push({ message: { case: "hello", value: hello } });
  return {
    responses: coordinator.work(outbox, { signal: stop.signal }),
    send: (message) => void outbox.push({ message }),
    every(intervalMs, beat) {
      clearInterval(beating);
      beating = setInterval(beat, intervalMs);
    },
    end() {
      outbox.close();
      leaving ??= setTimeout(() => stop.abort(), GOODBYE_MS);
    },
    close() {
      clearInterval(beating);
      clearTimeout(leaving);
      outbox.close();
      stop.abort();
    },
  };
}
