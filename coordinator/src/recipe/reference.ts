/** How a recipe names a model: a checkpoint, or a checkpoint and a LoRA adapter, as mergekit's `base+adapter`. */

export interface Reference {
  readonly base: string;
  readonly adapter?: string;
}

/** The parts of a reference as `readReference` gives it. */
export function splitReference(reference: string): Reference {
  const at = reference.indexOf("+");
  return at < 0 ? { base: reference } : { base: reference.slice(0, at), adapter: reference.slice(at + 1) };
}

export const joinReference = ({ base, adapter }: Reference): string =>
  adapter === undefined ? base : `${base}+${adapter}`;
