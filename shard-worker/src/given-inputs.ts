// Inputs that no file has: the importance of a candidate's models, fetched from the evaluators that estimated it straight into the
// shard's memory. It differs from candidate to candidate, while everything else stays where it is.
import type { SharedMemory } from "@amalgam/kernels";
import type { GivenInput, GivenTerm, ShardLocation, ShardService } from "@amalgam/proto";
import { AmalgamError, type ClientPool, receiveShard } from "@amalgam/runtime";
import type { ShardLayout } from "./shard-layout.ts";

/** A term could not be had from where it was said to be: it has to be estimated again. */
export class GivenInputLost extends AmalgamError {
  /** Digests of the terms. */
  readonly lost: readonly string[];

  constructor({ shard, sha256, address }: ShardLocation, cause: Error) {
    super("unavailable", `shard ${shard} of an estimate could not be fetched from ${address}: ${cause.message}`, {
      cause,
    });
    this.lost = [sha256];
  }
}

type WholeTerm = GivenTerm & { readonly values: ShardLocation };

export interface GivenSource {
  readonly holders: ClientPool<typeof ShardService>;
  readonly jobId: string;
}

/** Names the values: equal texts are equal bytes. */
export const givenText = ({ constant, terms }: GivenInput): string =>
  terms.length === 0 ? `${constant}` : terms.map(({ values, weight }) => `${weight} ${values!.sha256}`).join(" + ");

/**
 * Puts the values of a slot's given inputs in their places and resolves to the bytes that were fetched for it.
 * @throws GivenInputLost; the signal's reason
 */
export async function placeGiven(
  given: GivenInput,
  layout: ShardLayout,
  memory: SharedMemory,
  { holders, jobId }: GivenSource,
  signal: AbortSignal,
): Promise<number> {
  if (given.terms.length === 0) {
    fillGiven(layout, memory, given.slot, given.constant);
    return 0;
  }
  const places = placesOf(layout, given.slot);
  const length = places.reduce((sum, { bytes }) => sum + bytes, 0);
  const isOne = given.terms.length === 1 && given.terms[0]!.weight === 1;
  if (!isOne) fillGiven(layout, memory, given.slot, 0);
  for (const { values, weight } of given.terms as readonly WholeTerm[]) {
    if (Number(values.byteLength) !== length) {
      const found = `${values.byteLength} bytes of input ${given.slot} for the ${length} that shard ${values.shard} takes`;
      throw new AmalgamError("internal", `an estimate has ${found}`);
    }
    const take = isOne
      ? setter(memory, places)
      : adder(
          places.map((place) => valuesAt(memory, place)),
          weight,
        );
    try {
      await receiveShard(holders, jobId, values, take, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new GivenInputLost(values, error as Error);
    }
  }
  return length * given.terms.length;
}

/** Gives all given inputs of a slot the same value. */
export function fillGiven(layout: ShardLayout, memory: SharedMemory, slot: number, value: number): void {
  for (const place of placesOf(layout, slot)) valuesAt(memory, place).fill(value);
}

interface Place {
  readonly address: number;
  readonly bytes: number;
}

/** Where the values of the slot lie, in the order of the segments. */
function placesOf({ segments }: ShardLayout, slot: number): Place[] {
  return segments.flatMap(({ inputs }) => {
    const input = inputs[slot];
    return input?.isGiven ? [{ address: input.address, bytes: input.bytes }] : [];
  });
}

const valuesAt = (memory: SharedMemory, { address, bytes }: Place): Float32Array =>
  new Float32Array(memory.buffer, address, bytes / 4);

/** Pieces of the only term, put one behind the other. */
function setter(memory: SharedMemory, places: readonly Place[]): (data: Uint8Array) => void {
  const bytes = new Uint8Array(memory.buffer);
  let place = 0;
  let done = 0;
  return (data) => {
    for (let at = 0; at < data.length; ) {
      const { address, bytes: room } = places[place]!;
      const count = Math.min(room - done, data.length - at);
      bytes.set(data.subarray(at, at + count), address + done);
      at += count;
      done += count;
      if (done === room) {
        place++;
        done = 0;
      }
    }
  };
}

/** The same for a term that is weighted and added, rounded once. A value may arrive in two pieces. */
function adder(places: readonly Float32Array[], weight: number): (data: Uint8Array) => void {
  let rest = new Uint8Array(0);
  let place = 0;
  let done = 0;
  return (data) => {
    const joined = new Uint8Array(rest.length + data.length);
    joined.set(rest);
    joined.set(data, rest.length);
    const whole = joined.length >> 2;
    const values = new Float32Array(joined.buffer, 0, whole);
    rest = joined.slice(4 * whole);
    for (const value of values) {
      while (done === places[place]!.length) {
        place++;
        done = 0;
      }
      places[place]![done++]! += weight * value;
    }
  };
}
