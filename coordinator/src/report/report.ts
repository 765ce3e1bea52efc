// The HTML report of a search, and the picture of its history. Equal searches give equal bytes, whatever cluster ran them.
import type { JobView } from "@amalgam/proto";
import type { Analysis } from "./analysis.ts";
import { frontPanel, pairsOf } from "./charts/front.ts";
import { historyChart } from "./charts/history.ts";
import { calibrationChart, importanceChart, slicePanel } from "./charts/learned.ts";
import { coefficientPanel, taskPanel } from "./charts/panels.ts";
import { type Chart, inlineSvg, standaloneSvg } from "./charts/svg.ts";
import { taskChangeChart } from "./charts/task-change.ts";
import type { Recommended } from "./history.ts";
import type { Markup } from "./html.ts";
import { type Panel, page } from "./page.ts";
import { reportData, searchData } from "./report-data.ts";

export interface ReportInput {
  /** Text of the recipe that merges with the found coefficients. */
  readonly recipe: string;
  readonly recommended: Recommended;
  /** Absent where the search has no model. */
  readonly analysis?: Analysis;
}

/**
 * A self-contained page: final table, history, coefficients, recipe. Shows `view`'s scores and nothing of the cluster.
 * @throws Error when `view` has no final candidate, RecipeProblems when `recipe` is none
 */
export async function renderReport(view: JobView, { recipe, recommended, analysis }: ReportInput): Promise<string> {
  const data = reportData(view, recommended, recipe, analysis);
  let charts = 0;
  const inline = (chart: Chart): Promise<Markup> => inlineSvg(chart, `chart${++charts}`);
  const drawPanels = async (names: readonly string[], chartOf: (name: string) => Chart): Promise<Panel[]> => {
    const panels: Panel[] = [];
    for (const name of names) panels.push({ name, svg: await inline(chartOf(name)) });
    return panels;
  };
  const drawFronts = async (): Promise<Panel[]> => {
    const drawn: Panel[] = [];
    for (const pair of recommended.front === undefined ? [] : pairsOf(data.tasks)) {
      drawn.push({ name: pair.join(" and "), svg: await inline(frontPanel(data, pair)) });
    }
    return drawn;
  };
  return page(data, {
    history: await inline(historyChart(data, { standalone: false })),
    // Tasks that measure different things share no axis.
    taskChange: data.rows.length > 1 && data.metric !== "" ? await inline(taskChangeChart(data)) : undefined,
    tasks: await drawPanels(data.tasks.length > 1 ? data.tasks : [], (task) => taskPanel(data, task)),
    coefficients: await drawPanels(data.coefficientNames, (name) => coefficientPanel(data, name)),
    front: await drawFronts(),
    learned: analysis && {
      importance: await inline(importanceChart(analysis.importance)),
      calibration: await inline(calibrationChart(analysis.calibration, data.metric)),
      slices: await drawPanels(
        analysis.slices.map(({ name }) => name),
        (name) =>
          slicePanel(
            analysis.slices.find((slice) => slice.name === name)!,
            data.recommended.coefficients[name]!,
            data.metric,
          ),
      ),
    },
  });
}

/** The search history alone as an SVG file, in light colours on white. */
export function renderSearchPlot(view: JobView, recommended: Recommended): Promise<string> {
  return standaloneSvg(historyChart(searchData(view, recommended), { standalone: true }));
}
