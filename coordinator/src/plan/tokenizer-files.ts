/** The tokenizer that the merged model is published with: reads those of the models, and makes the texts that differ from the donor's. */
import { createHash } from "node:crypto";
import {
  type Checkpoint,
  CheckpointError,
  configOfUnion,
  isChatTemplate,
  isSlowVocabulary,
  isTokenizerFile,
  type JsonObject,
  openCheckpoint,
  parseJsonObject,
  readSideFile,
  readTokenizer,
  resolveReference,
  templateOf,
} from "@amalgam/checkpoint";
import { type Pins, pinned, type Recipe, splitReference, type TokenizerSection } from "../recipe/index.ts";
import { chatTemplates } from "./chat-templates.ts";
import { DONOR_SLOT } from "./part-inputs.ts";
import type { OutputTokenizer, SlotHeader } from "./types.ts";
import { planVocabulary, type TokenizerDonor, type Vocabulary } from "./vocabulary.ts";

/** Larger than the largest tokenizers, which have about 50 MB. */
const MAX_TEXT_BYTES = 512 * 2 ** 20;

/** What references start from and mean. */
export interface ReferencePlaces {
  readonly baseDirectory: string;
  readonly pins: Pins;
}

export interface WithTokenizer {
  readonly headers: readonly SlotHeader[];
  /** Undefined: the donor's own, unchanged. */
  readonly tokenizer?: OutputTokenizer;
}

/**
 * Applies the recipe's `tokenizer` and `chat_template` to the opened headers.
 * @throws CheckpointError or CheckpointProblems
 */
export async function withTokenizer(
  recipe: Recipe,
  headers: readonly SlotHeader[],
  places: ReferencePlaces,
  signal?: AbortSignal,
): Promise<WithTokenizer> {
  const { tokenizer: section, chatTemplate } = recipe;
  if (section === undefined && chatTemplate === undefined) return { headers };
  const reader: Reader = { signal, known: new Map() };
  const models = headers.filter(({ slot }) => slot.companion === undefined);
  const reference = headers[DONOR_SLOT] as SlotHeader;
  const merged = section && (await mergeTokenizers(reader, recipe, section, headers, models, places));
  const donor = merged?.donor ?? reference.checkpoint;
  const files: Record<string, string> = merged?.files ?? {};
  const removed = new Set(merged?.removed);
  if (chatTemplate !== undefined) {
    const text = await templateText(reader, chatTemplate, models);
    if (text !== undefined) {
      const name = "tokenizer_config.json";
      const written = files[name];
      const config =
        written === undefined
          ? await reading(reader, donor, name)
          : parseJsonObject(new TextEncoder().encode(written), name);
      files[name] = jsonText({ ...config, chat_template: text });
      for (const each of [...donor.sideFiles, ...reference.checkpoint.sideFiles])
        if (isChatTemplate(each)) removed.add(each);
      for (const each of Object.keys(files)) if (isChatTemplate(each)) delete files[each];
    }
  }
  const hash = createHash("sha256").update(JSON.stringify([files, [...removed].toSorted(), merged?.vocabulary.rows]));
  for (const runs of merged?.vocabulary.runs ?? []) hash.update(runs);
  return {
    headers: merged?.vocabulary.headers ?? headers,
    tokenizer: {
      ...(merged === undefined ? {} : { rows: merged.vocabulary.rows }),
      files,
      removed: [...removed],
      notes: merged?.vocabulary.notes ?? [],
      digest: hash.digest("hex"),
    },
  };
}

interface Reader {
  readonly signal: AbortSignal | undefined;
  /** Parsed files; models that share a base share its tokenizer. */
  readonly known: Map<string, Promise<JsonObject>>;
}

interface MergedTokenizers {
  readonly vocabulary: Vocabulary;
  /** Whose other tokenizer files are published. */
  readonly donor: Checkpoint;
  readonly files: Record<string, string>;
  readonly removed: readonly string[];
}

async function mergeTokenizers(
  reader: Reader,
  recipe: Recipe,
  section: TokenizerSection,
  headers: readonly SlotHeader[],
  models: readonly SlotHeader[],
  places: ReferencePlaces,
): Promise<MergedTokenizers> {
  const reference = await donorOf(reader, models[0] as SlotHeader);
  const donors = await Promise.all(
    models.map(({ slot, checkpoint }) =>
      // A model without a tokenizer has the base's, as one that was only tuned.
      checkpoint.sideFiles.includes("tokenizer.json")
        ? donorOf(reader, { slot, checkpoint })
        : { ...reference, path: slot.path, checkpoint },
    ),
  );
  const source = await sourceDonor(reader, section, donors, places);
  const vocabulary = planVocabulary(recipe, section, headers, donors, source);
  const files: Record<string, string> = {};
  const [{ checkpoint: own }] = donors as [TokenizerDonor];
  const { checkpoint: donor } = source;
  if (donor.root !== own.root) {
    for (const name of donor.sideFiles.filter(isTokenizerFile)) {
      files[name] = new TextDecoder().decode(await readSideFile(donor, name, MAX_TEXT_BYTES));
    }
  }
  const removed = own.sideFiles.filter((name) => donor.root !== own.root && isTokenizerFile(name));
  const { united } = vocabulary;
  if (united.json === undefined) return { vocabulary, donor, files, removed };
  const config = donor.sideFiles.includes("tokenizer_config.json")
    ? await reading(reader, donor, "tokenizer_config.json")
    : undefined;
  files["tokenizer.json"] = jsonText(united.json);
  if (config !== undefined) files["tokenizer_config.json"] = jsonText(configOfUnion(config, united));
  for (const name of Object.keys(files)) if (isSlowVocabulary(name)) delete files[name];
  return { vocabulary, donor, files, removed: [...removed, ...own.sideFiles.filter(isSlowVocabulary)] };
}

async function sourceDonor(
  reader: Reader,
  { source }: TokenizerSection,
  donors: readonly TokenizerDonor[],
  { baseDirectory, pins }: ReferencePlaces,
): Promise<TokenizerDonor> {
  if (source.kind !== "model") return donors[0] as TokenizerDonor;
  const merged = donors.find(({ path }) => path === source.path);
  if (merged !== undefined) return merged;
  const location = await resolveReference(splitReference(pinned(pins, source.path)).base, baseDirectory);
  const checkpoint = await openCheckpoint(location, { signal: reader.signal });
  return donorOf(reader, { slot: { path: source.path }, checkpoint });
}

async function donorOf(
  reader: Reader,
  { slot, checkpoint }: { readonly slot: { readonly path: string }; readonly checkpoint: Checkpoint },
): Promise<TokenizerDonor> {
  const name = "tokenizer.json";
  const file = `${checkpoint.root}/${name}`;
  if (!checkpoint.sideFiles.includes(name)) {
    const hint = "load it with transformers' AutoTokenizer and save it again: save_pretrained writes one";
    throw new CheckpointError({
      file: checkpoint.root,
      rule: `has no ${name}, which merging vocabularies reads`,
      hint,
    });
  }
  return { path: slot.path, checkpoint, tokenizer: readTokenizer(await reading(reader, checkpoint, name), file) };
}

/** The template of that name, the one that most models have (the first of several), or the text itself. */
async function templateText(
  reader: Reader,
  written: string,
  models: readonly SlotHeader[],
): Promise<string | undefined> {
  if (written !== "auto") return chatTemplates.get(written) ?? written;
  const counts = new Map<string, number>();
  for (const { checkpoint } of models) {
    const template = (await ownTemplate(reader, checkpoint))?.trim();
    if (template !== undefined && template !== "") counts.set(template, (counts.get(template) ?? 0) + 1);
  }
  const most = Math.max(0, ...counts.values());
  return [...counts].find(([, count]) => count === most)?.[0];
}

async function ownTemplate(reader: Reader, checkpoint: Checkpoint): Promise<string | undefined> {
  const { sideFiles } = checkpoint;
  // transformers prefers the file.
  if (sideFiles.includes("chat_template.jinja")) {
    return new TextDecoder().decode(await readSideFile(checkpoint, "chat_template.jinja", MAX_TEXT_BYTES));
  }
  if (!sideFiles.includes("tokenizer_config.json")) return undefined;
  return templateOf(await reading(reader, checkpoint, "tokenizer_config.json"));
}

function reading(reader: Reader, checkpoint: Checkpoint, name: string): Promise<JsonObject> {
  const file = `${checkpoint.root}/${name}`;
  const read = async (): Promise<JsonObject> => {
    if (!checkpoint.sideFiles.includes(name)) {
      throw new CheckpointError({ file: checkpoint.root, rule: `has no ${name}, which the chat template belongs in` });
    }
    return parseJsonObject(await readSideFile(checkpoint, name, MAX_TEXT_BYTES, { signal: reader.signal }), file);
  };
  const known = reader.known.get(file) ?? read();
  reader.known.set(file, known);
  return known;
}

const jsonText = (value: JsonObject): string => `${JSON.stringify(value, undefined, 2)}\n`;
