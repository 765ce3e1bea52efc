// A strict JSON scanner over bytes (RFC 8259) for untrusted files. JSON.parse will not do: it hides duplicate keys, rounds big
// numbers, gives `__proto__` a meaning and recurses without bound. Grammar beyond one value is the caller's.
import { Buffer, isUtf8 } from "node:buffer";
import { CheckpointError, quoteName } from "./errors.ts";
import { maxJsonDepth, maxMembers, maxStringBytes } from "./limits.ts";

/** A parsed JSON value. Objects have no prototype, so no key is special. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** A position in JSON bytes that only moves forward. Every method throws a {@link CheckpointError} that names the byte. */
export class JsonScanner {
  readonly #bytes: Buffer;
  readonly #file: string;
  readonly #what: string;
  #at = 0;

  /** `what` names the text in errors ("header", "index"). */
  constructor(bytes: Uint8Array, file: string, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#what = what;
    if (!isUtf8(bytes)) throw new CheckpointError({ file, rule: `the ${what} is not valid UTF-8` });
  }

  fail(found: string): never {
    throw new CheckpointError({
      file: this.#file,
      rule: `the ${this.#what} is malformed at byte ${this.#at}: ${found}`,
    });
  }

  /** The next byte that is not white space, or undefined at the end; does not consume it. */
  peek(): number | undefined {
    const bytes = this.#bytes;
    let byte = bytes[this.#at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.#at];
    return byte;
  }

  /** After the value nothing but white space may follow. */
  end(): void {
    if (this.peek() !== undefined) this.fail(`${this.#describe()} after the end of the value`);
  }

  /** Like {@link end}, but the only padding allowed is spaces, as safetensors demands of its header. */
  endWithSpaces(): void {
    const bytes = this.#bytes;
    while (bytes[this.#at] === 0x20) this.#at++;
    if (this.#at < bytes.length) this.fail("only spaces may follow the closing brace");
  }

  /** Reads `{...}` and calls `member` with each key, positioned at its value, which `member` must consume. */
  object(member: (key: string) => void): void {
    this.#expect(openBrace, "an object");
    const seen = new Set<string>();
    if (this.peek() === closeBrace) {
      this.#at++;
      return;
    }
    for (;;) {
      const key = this.string("a key");
      if (seen.has(key)) this.fail(`the key ${quoteName(key)} appears twice`);
      if (seen.size === maxMembers) this.fail(`more than ${maxMembers} members in one object`);
      seen.add(key);
      this.#expect(colon, '":"');
      member(key);
      if (!this.#more(closeBrace, '"}"')) return;
    }
  }

  /** Reads `[...]` and calls `item` at each value, which `item` must consume. */
  array(item: () => void): void {
    this.#expect(openBracket, "an array");
    if (this.peek() === closeBracket) {
      this.#at++;
      return;
    }
    do item();
    while (this.#more(closeBracket, '"]"'));
  }

  string(what = "a string"): string {
    this.#expect(quote, what);
    const bytes = this.#bytes;
    const begin = this.#at;
    let at = begin;
    let bits = 0;
    let escaped = false;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) this.fail("the text ends inside a string");
      if (byte === quote) break;
      if (byte < 0x20) {
        this.#at = at;
        this.fail("a control character inside a string");
      }
      if (byte === backslash) {
        escaped = true;
        at++;
      }
      bits |= byte;
      at++;
    }
    if (at - begin > maxStringBytes) this.fail(`a string of more than ${maxStringBytes} bytes`);
    this.#at = at + 1;
    if (!escaped) return bits < 0x80 ? bytes.toString("latin1", begin, at) : bytes.toString("utf8", begin, at);
    return this.#unescape(bytes.toString("utf8", begin - 1, at + 1));
  }

  /** A whole number from 0 to 2^53 - 1, written in plain digits. */
  wholeNumber(what: string): number {
    this.peek();
    const bytes = this.#bytes;
    const begin = this.#at;
    let at = begin;
    let value = 0;
    for (;;) {
      const digit = (bytes[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
      // Past 2^53 the sum is inexact but still past it, so this comparison is safe.
      if (value > Number.MAX_SAFE_INTEGER) this.fail(`${what} is greater than 2^53 - 1`);
    }
    const next = bytes[at];
    if (at === begin || next === 0x2e || next === 0x65 || next === 0x45) {
      this.fail(`${what} must be a whole number, not negative; found ${this.#describe()}`);
    }
    if (at - begin > 1 && bytes[begin] === 0x30) this.fail(`${what} has a leading zero`);
    this.#at = at;
    return value;
  }

  /** Any value. `nonFinite` admits the NaN and Infinity that Python's json module writes into config files. */
  value(options: { nonFinite?: boolean } = {}, depth = 0): JsonValue {
    if (depth > maxJsonDepth) this.fail(`nested deeper than ${maxJsonDepth} levels`);
    const next = this.peek();
    if (next === openBrace) {
      const result: JsonObject = Object.create(null);
      this.object((key) => {
        result[key] = this.value(options, depth + 1);
      });
      return result;
    }
    if (next === openBracket) {
      const result: JsonValue[] = [];
      this.array(() => result.push(this.value(options, depth + 1)));
      return result;
    }
    return next === quote ? this.string() : this.#word(options.nonFinite === true);
  }

  #word(nonFinite: boolean): JsonValue {
    const begin = this.#at;
    let end = begin;
    while (/[-+.\w]/.test(String.fromCharCode(this.#bytes[end] ?? 0))) end++;
    const word = this.#bytes.toString("latin1", begin, end);
    if (!/^(true|false|null)$/.test(word)) {
      if (nonFinite && /^(NaN|-?Infinity)$/.test(word)) {
        this.#at = end;
        return Number(word);
      }
      if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(word))
        this.fail(`expected a value, found ${this.#describe()}`);
    }
    this.#at = end;
    return JSON.parse(word);
  }

  #unescape(literal: string): string {
    let text: string;
    try {
      text = JSON.parse(literal);
    } catch {
      return this.fail("a bad escape in the string before this point");
    }
    if (!text.isWellFormed()) this.fail("half a surrogate pair in the string before this point");
    return text;
  }

  #expect(byte: number, what: string): void {
    if (this.peek() !== byte) this.fail(`expected ${what}, found ${this.#describe()}`);
    this.#at++;
  }

  #more(closing: number, what: string): boolean {
    const next = this.peek();
    if (next !== comma && next !== closing) this.fail(`expected "," or ${what}, found ${this.#describe()}`);
    this.#at++;
    return next === comma;
  }

  #describe(): string {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return "the end";
    return byte > 0x20 && byte < 0x7f
      ? `"${String.fromCharCode(byte)}"`
      : `byte 0x${byte.toString(16).padStart(2, "0")}`;
  }
}
