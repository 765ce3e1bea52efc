// A score as a message: what each item brought is packed as tightly as it can be.
import type { ScoreSchema } from "@amalgam/proto";
import { packBits } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ItemScores } from "../score.ts";

export function scoreMessage({
  items,
  metric,
  score,
  standardError,
  loss,
  perItem,
}: ItemScores): MessageInitShape<typeof ScoreSchema> {
  return { items, metric, score, standardError, loss, perItem: packed(perItem) };
}

function packed(perItem: ItemScores["perItem"]): NonNullable<MessageInitShape<typeof ScoreSchema>["perItem"]> {
  if (perItem === undefined) return { case: undefined };
  if (perItem instanceof Uint8Array) return { case: "bits", value: packBits(perItem) };
  const { buffer, byteOffset, byteLength } = perItem;
  return { case: "float32", value: new Uint8Array(buffer, byteOffset, byteLength) };
}
