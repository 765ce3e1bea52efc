/** Reads `tokenizer_source`, `tokenizer` and `chat_template`, as mergekit has them. */
import type { Located } from "./located.ts";
import { readReference } from "./models.ts";
import { listed, suggestion } from "./problems.ts";
import type { Entries, Reader } from "./reader.ts";
import type { TokenizerSection, TokenRecipe, TokenSourceRecipe } from "./types.ts";

/** Chat templates that have a name; `auto` takes the one that most models have. */
const CHAT_TEMPLATES = ["auto", "alpaca", "chatml", "exaone", "llama3", "mistral"] as const;

export function readTokenizerSection(reader: Reader, entries: Entries): TokenizerSection | undefined {
  const short = present(entries, "tokenizer_source");
  const long = present(entries, "tokenizer");
  if (short !== undefined && long !== undefined) {
    return reader.fail(long.line, "`tokenizer_source` and `tokenizer` say the same: keep `tokenizer`, with a `source`");
  }
  if (short !== undefined) {
    const source = readSource(reader, short, "`tokenizer_source`");
    return source && { source, tokens: new Map() };
  }
  const keys = long && reader.map(long, "`tokenizer`", ["source", "tokens", "pad_to_multiple_of"]);
  if (keys === undefined) return undefined;
  const sourceNode = present(keys, "source");
  const source = sourceNode === undefined ? { kind: "union" as const } : readSource(reader, sourceNode, "`source`");
  const tokensNode = present(keys, "tokens");
  const tokens = tokensNode === undefined ? new Map<string, TokenRecipe>() : readTokens(reader, tokensNode);
  const padNode = present(keys, "pad_to_multiple_of");
  const pad = padNode && reader.number(padNode, "`pad_to_multiple_of`", { low: 1, high: 2 ** 20, integer: true });
  return source && { source, tokens, ...(pad === undefined ? {} : { padToMultipleOf: pad }) };
}

export function readChatTemplate(reader: Reader, entries: Entries): string | undefined {
  const node = present(entries, "chat_template");
  const text = node && reader.text(node, "`chat_template`");
  // A template without an expression would be the same text for every chat.
  if (node === undefined || text === undefined || text.includes("{") || CHAT_TEMPLATES.some((name) => name === text))
    return text;
  const near = suggestion(text, CHAT_TEMPLATES);
  return reader.fail(
    node.line,
    `\`chat_template\` must be ${listed(CHAT_TEMPLATES)}, or a jinja template, which has braces${near}`,
  );
}

function readSource(reader: Reader, node: Located, what: string): TokenizerSection["source"] | undefined {
  if (node.kind === "scalar" && (node.value === "union" || node.value === "base")) return { kind: node.value };
  const path = readReference(reader, node, what);
  return path === undefined ? undefined : { kind: "model", path };
}

function readTokens(reader: Reader, node: Located): Map<string, TokenRecipe> {
  const tokens = new Map<string, TokenRecipe>();
  if (node.kind !== "map") {
    reader.fail(node.line, "`tokens` must be a mapping from tokens to where they come from");
    return tokens;
  }
  for (const [token, { value, line }] of node.entries) {
    const what = `token \`${token}\``;
    const keys = reader.map(value, what, ["source", "force"]);
    if (keys === undefined) continue;
    const forceNode = present(keys, "force");
    const force = forceNode?.kind === "scalar" ? forceNode.value : undefined;
    if (forceNode !== undefined && typeof force !== "boolean") {
      reader.fail(forceNode.line, `\`force\` of ${what} must be true or false`);
    }
    const sourceNode = present(keys, "source");
    const source = sourceNode && readTokenSource(reader, sourceNode, what);
    if (force === true && sourceNode === undefined) reader.fail(line, `\`force\` of ${what} needs a \`source\``);
    tokens.set(token, { ...(source === undefined ? {} : { source }), force: force === true });
  }
  // Tokens that are added have their ids in this order, which must survive being written as an object.
  return new Map(Object.entries(Object.fromEntries(tokens)));
}

function readTokenSource(reader: Reader, node: Located, what: string): TokenSourceRecipe | undefined {
  if (node.kind !== "map" || !node.entries.has("kind")) {
    const model = readReference(reader, node, `\`source\` of ${what}`);
    return model === undefined ? undefined : { kind: "model", model };
  }
  const keys = reader.map(node, `\`source\` of ${what}`, ["kind", "model", "token", "token_id"]);
  const kindNode = keys?.get("kind");
  const kind = kindNode && reader.choice(kindNode.value, "`kind`", ["zero", "model_token"]);
  if (keys === undefined || kind === undefined) return undefined;
  if (kind === "zero") {
    const more = ["model", "token", "token_id"].find((key) => keys.has(key));
    if (more !== undefined) return reader.fail(node.line, `\`${more}\` of ${what} means nothing for \`kind: zero\``);
    return { kind: "zero" };
  }
  const modelEntry = reader.required(keys, "model", node.line, `\`kind: model_token\` of ${what}`);
  const model = modelEntry && readReference(reader, modelEntry.value, "`model`");
  const [tokenNode, idNode] = [present(keys, "token"), present(keys, "token_id")];
  if ((tokenNode === undefined) === (idNode === undefined)) {
    return reader.fail(node.line, `\`kind: model_token\` of ${what} needs either \`token\` or \`token_id\``);
  }
  const token = tokenNode && reader.text(tokenNode, "`token`");
  const id = idNode && reader.number(idNode, "`token_id`", { low: 0, integer: true });
  if (model === undefined) return undefined;
  if (token !== undefined) return { kind: "token", model, token };
  return id === undefined ? undefined : { kind: "id", model, id };
}

/** The value of a key, unless it is null, as mergekit's own files write it. */
function present(entries: Entries, key: string): Located | undefined {
  const node = entries.get(key)?.value;
  return node?.kind === "scalar" && node.value === null ? undefined : node;
}
