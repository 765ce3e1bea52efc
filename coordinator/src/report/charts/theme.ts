// Colours and type of page and charts. Charts name colours as CSS variables, so that one SVG serves light and dark pages.
// The hues of origins are those of Okabe and Ito (2008), told apart with every kind of colour vision; shapes repeat them.
import type { Config } from "vega-lite";

interface Tone {
  readonly light: string;
  readonly dark: string;
}

export const TONES: Readonly<Record<string, Tone>> = {
  paper: { light: "#ffffff", dark: "#14171c" },
  panel: { light: "#f6f7f9", dark: "#1c2027" },
  ink: { light: "#1b2026", dark: "#e7eaee" },
  soft: { light: "#596270", dark: "#a3acb8" },
  edge: { light: "#d9dde3", dark: "#343b45" },
  grid: { light: "#eceef1", dark: "#262c34" },
  accent: { light: "#0b62c4", dark: "#6cb2ff" },
  tint: { light: "#e8f1fc", dark: "#1b2c40" },
  bad: { light: "#b3261e", dark: "#ff8a80" },
  enqueued: { light: "#a8578a", dark: "#dd94bd" },
  line: { light: "#c07c00", dark: "#f0ae3c" },
  centre: { light: "#1b2026", dark: "#e7eaee" },
  sobol: { light: "#008760", dark: "#3fc79c" },
  model: { light: "#0b62c4", dark: "#6cb2ff" },
  other: { light: "#596270", dark: "#a3acb8" },
};

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/** How proposals of each origin look; what proposed them, in words. */
const ORIGINS: Readonly<Record<string, { readonly shape: string; readonly meaning: string }>> = {
  enqueued: { shape: "square", meaning: "given by the recipe" },
  line: { shape: "triangle-up", meaning: "equal coefficients" },
  centre: { shape: "cross", meaning: "centre of the box" },
  sobol: { shape: "diamond", meaning: "Sobol sequence" },
  model: { shape: "circle", meaning: "proposed by the model" },
  alone: { shape: "square", meaning: "one model alone" },
  soup: { shape: "circle", meaning: "one model more in the soup" },
};

const isKnownOrigin = (origin: string): boolean => Object.hasOwn(ORIGINS, origin);

/** Origins that occur, in their usual order. */
export function originsOf(trials: readonly { readonly origin: string }[]): string[] {
  const present = new Set(trials.map(({ origin }) => origin));
  const known = Object.keys(ORIGINS).filter((origin) => present.has(origin));
  return [...known, ...[...present].filter((origin) => !isKnownOrigin(origin)).toSorted()];
}

export const tone = (name: string): string => `var(--${name})`;

export const originColour = (origin: string): string => tone(isKnownOrigin(origin) ? origin : "other");

export const originShape = (origin: string): string =>
  isKnownOrigin(origin) ? ORIGINS[origin]!.shape : "triangle-down";

export const originLabel = (origin: string): string => (isKnownOrigin(origin) ? ORIGINS[origin]!.meaning : origin);

export const CONFIG: Config = {
  background: "transparent",
  font: FONT,
  padding: { left: 4, right: 8, top: 8, bottom: 4 },
  view: { stroke: null },
  axis: {
    aria: false,
    domainColor: tone("edge"),
    tickColor: tone("edge"),
    gridColor: tone("grid"),
    labelColor: tone("soft"),
    titleColor: tone("soft"),
    titleFontWeight: "normal",
    titlePadding: 8,
    labelFontSize: 11,
    titleFontSize: 11,
    tickSize: 4,
  },
  legend: {
    aria: false,
    labelColor: tone("ink"),
    labelFontSize: 11,
    labelLimit: 220,
    symbolSize: 70,
    symbolStrokeWidth: 0,
    symbolOpacity: 1,
    orient: "top",
    columnPadding: 16,
    title: null,
  },
};
