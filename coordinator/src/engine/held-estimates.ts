// Who holds the values of which estimate. Volatile: what is not known here is asked for again, and whoever holds it still says so at once.
import { createHash } from "node:crypto";
import { type Estimate, type GivenInput, GivenInputSchema, type ScoreReport, type ShardLocation } from "@amalgam/proto";
import { AmalgamError } from "@amalgam/runtime";
import { create } from "@bufbuild/protobuf";
import type { GivenSlot } from "./importance.ts";

export interface MadeEstimate {
  readonly sha256: string;
  readonly seconds: number;
}

export interface HeldEstimates {
  /** Takes one part; undefined while others of its generation are missing, or when it is known already. */
  add(report: ScoreReport, part: Estimate): MadeEstimate | undefined;
  /**
   * The values of given slots in one shard.
   * @throws AmalgamError aborted when nobody is known to hold them
   */
  given(slots: readonly GivenSlot[], shard: number): GivenInput[];
  /** Forgets the estimates that have one of these terms, and names them. */
  lose(sha256s: readonly string[]): string[];
}

interface Part {
  readonly items: number;
  readonly seconds: number;
  readonly shards: ReadonlyMap<number, ShardLocation>;
}

/** @param parts that every estimate is made of */
export function createHeldEstimates(parts: number): HeldEstimates {
  const held = new Map<string, readonly Part[]>();
  const arriving = new Map<string, { readonly generation: number; readonly parts: Map<number, Part> }>();

  return {
    add({ candidateId: id, generation, firstPiece }, { items, shards, seconds }) {
      const known = arriving.get(id);
      const entry = known?.generation === generation ? known : { generation, parts: new Map<number, Part>() };
      arriving.set(id, entry);
      const byShard = new Map(shards.map((location) => [location.shard, location]));
      entry.parts.set(firstPiece, { items, seconds, shards: byShard });
      if (entry.parts.size < parts) return undefined;
      arriving.delete(id);
      const inOrder = [...entry.parts].toSorted(([a], [b]) => a - b).map(([, part]) => part);
      held.set(id, inOrder);
      return { sha256: digestOf(inOrder), seconds: inOrder.reduce((sum, part) => sum + part.seconds, 0) };
    },
    given: (slots, shard) =>
      slots.map(({ slot, estimate }) => {
        if (estimate === undefined) return create(GivenInputSchema, { slot, constant: 1 });
        const found = held.get(estimate);
        if (found === undefined) throw new AmalgamError("aborted", `nobody holds the estimate ${estimate}`);
        const all = found.reduce((sum, { items }) => sum + items, 0);
        const terms = found.flatMap(({ items, shards }) => {
          const values = shards.get(shard);
          return values === undefined ? [] : [{ values, weight: Math.fround(items / all) }];
        });
        return create(GivenInputSchema, { slot, terms });
      }),
    lose(sha256s) {
      const lost = new Set(sha256s);
      const has = ({ shards }: Part): boolean => shards.values().some(({ sha256 }) => lost.has(sha256));
      const ids = [...held].filter(([, found]) => found.some(has)).map(([id]) => id);
      for (const id of ids) held.delete(id);
      return ids;
    },
  };
}

function digestOf(parts: readonly Part[]): string {
  const hash = createHash("sha256");
  for (const { shards } of parts) {
    for (const [shard, { sha256 }] of [...shards].toSorted(([a], [b]) => a - b)) hash.update(`${shard} ${sha256}\n`);
    hash.update("\n");
  }
  return hash.digest("hex");
}
