/** Texts with places for the columns of a row: `Question: {{question}}`. Nothing else is special in them. */

/** A text that {@link templateProblem} finds nothing wrong with. */
export type Template = string;

const place = /\{\{\s*(.*?)\s*\}\}/g;

/** Why a text is no template; undefined when it is one. */
export function templateProblem(text: string): string | undefined {
  if (columnsOf(text).includes("")) return "has a place {{}} that names no column";
  const rest = text.replace(place, "");
  return rest.includes("{{") || rest.includes("}}")
    ? "opens or closes a place {{column}} that has no other end"
    : undefined;
}

/** Columns that a template has places for. */
export const columnsOf = (template: Template): string[] => [...template.matchAll(place)].map(([, column]) => column!);

/** The template with every place filled in. */
export function render(template: Template, textOf: (column: string) => string): string {
  return template.replace(place, (_, column: string) => textOf(column));
}
