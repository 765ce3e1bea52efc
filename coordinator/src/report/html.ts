// HTML that escapes by itself: whatever is put into a template is text unless it is Markup. Recipes are untrusted, and
// their names end up in the report. Not a template language: no loops, no attributes without quotes.

/** Text that is HTML already. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = string | number | Markup | undefined | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Control characters are no characters of an HTML document; what is left can stand in text and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/\p{Cc}/gu, controlSymbol).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

function controlSymbol(character: string): string {
  return "\t\n".includes(character) ? character : "\uFFFD";
}

/** Template tag. Strings and numbers are escaped, Markup is kept, arrays are joined, undefined is nothing. */
export function html(literals: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(literals.map((literal, index) => literal + render(values[index])).join(""));
}

function render(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "string") return escapeHtml(content);
  if (typeof content === "number") return String(content);
  return content.map(render).join("");
}
