// Vega-Lite specification -> SVG text, the same bytes every time and on every machine. Vega is loaded when the first chart
// is drawn, not before: a coordinator that only merges never needs it.
import type { TopLevelSpec } from "vega-lite";
import { escapeHtml, html, Markup } from "../html.ts";
import { CONFIG, TONES } from "./theme.ts";

/** A specification and what it shows in words, for those who do not see it. */
export interface Chart {
  readonly spec: TopLevelSpec;
  readonly title: string;
  readonly description: string;
}

type Draw = (spec: TopLevelSpec) => Promise<string>;

let loading: Promise<Draw> | undefined;

/**
 * SVG text of a specification, tooltips as `title` elements. Specifications use no clipping and no gradients: Vega numbers
 * these per process, so the second report of a process would differ from the first.
 */
async function draw(spec: TopLevelSpec): Promise<string> {
  loading ??= load();
  const drawSpec = await loading;
  const svg = await drawSpec(spec);
  if (svg.includes("<defs>")) throw new Error("a chart of the report has numbered definitions");
  return svg.replace(
    /<(path|line) aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="[^"]*"([^>]*)\/>/g,
    "<$1$3><title>$2</title></$1>",
  );
}

async function load(): Promise<Draw> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  // Left out of Vega's types. Text is measured by its estimate even where a canvas package is installed.
  const { textMetrics } = vega as unknown as { readonly textMetrics: { canvas(use: boolean): void } };
  textMetrics.canvas(false);
  const logger = vega.logger(vega.None);
  return async (spec) => {
    const view = new vega.View(vega.parse(compile(spec, { config: CONFIG, logger }).spec), {
      renderer: "none",
      logger,
    });
    const svg = await view.toSVG();
    view.finalize();
    return svg;
  };
}

/** A chart for a page that defines the colours of the theme. `id` is unique on the page. */
export async function inlineSvg({ spec, title, description }: Chart, id: string): Promise<Markup> {
  const svg = (await draw(spec)).replaceAll(/ xmlns(:xlink)?="[^"]*"| version="1\.1"/g, "");
  const label = html`<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>`;
  return new Markup(
    svg.replace(/^<svg class="marks"([^>]*)>/, (_, size: string) => {
      return `<svg role="img" aria-labelledby="${id}-title ${id}-desc"${size}>${label.text}`;
    }),
  );
}

/** A chart as a file of its own, in light colours on white. */
export async function standaloneSvg({ spec, title, description }: Chart): Promise<string> {
  const svg = await draw({ ...spec, background: TONES["paper"]!.light });
  return `${svg
    .replace(/var\(--([a-z]+)\)/g, (written, name: string) => TONES[name]?.light ?? written)
    .replace(/^<svg([^>]*)>/, (_, attributes: string) => {
      return `<svg role="img"${attributes}><title>${escapeHtml(title)}</title><desc>${escapeHtml(description)}</desc>`;
    })}\n`;
}
