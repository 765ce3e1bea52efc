// Whole small files of servers: configs, indexes, tokenizers, answers of APIs. Bounded, because a server decides their length.
import { CheckpointError } from "../errors.ts";
import type { ReadOptions } from "../source.ts";
import { type Ask, attempts, discard, exchange, readBody, withRetries } from "./http.ts";
import { isAbsent, refusal } from "./refusals.ts";

type Place = Pick<Ask, "name" | "url" | "authorize">;

/** Reads all of a remote file. @throws CheckpointError when it is longer than `maxBytes` or is refused */
export function fetchWhole(place: Place, maxBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
  const { name } = place;
  return withRetries(
    name,
    attempts.open,
    async () => {
      const reply = await exchange({ ...place, method: "GET" }, options);
      if (reply.status !== 200) {
        discard(reply.body);
        throw refusal(name, reply);
      }
      const chunks: Uint8Array[] = [];
      let length = 0;
      await readBody(
        reply,
        (chunk) => {
          length += chunk.length;
          if (length > maxBytes) throw new CheckpointError({ file: name, rule: `has more than ${maxBytes} bytes` });
          chunks.push(chunk);
        },
        options,
      );
      return Buffer.concat(chunks, length);
    },
    options,
  );
}

/** What a server says of a file without sending it; an error is its refusal to say. */
export type Presence = "present" | "absent" | CheckpointError;

export function presence(place: Place, options: ReadOptions = {}): Promise<Presence> {
  return withRetries(
    place.name,
    attempts.open,
    async () => {
      const head = await exchange({ ...place, method: "HEAD" }, options);
      discard(head.body);
      // Some servers know no HEAD.
      const reply = [405, 501].includes(head.status) ? await exchange({ ...place, method: "GET" }, options) : head;
      if (reply !== head) reply.body.destroy();
      if (reply.status === 200) return "present";
      return isAbsent(reply) ? "absent" : refusal(place.name, reply);
    },
    options,
  );
}
