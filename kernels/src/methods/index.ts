// The registry: the only place that lists the methods.
import type { MergeMethod } from "../method.ts";
import { arceeFusion } from "./arcee-fusion.ts";
import { breadcrumbs, breadcrumbsTies } from "./breadcrumbs.ts";
import { dareLinear, dareTies } from "./dare.ts";
import { della, dellaLinear } from "./della.ts";
import { dfMerge } from "./df-merge.ts";
import { emr } from "./emr.ts";
import { fisher } from "./fisher.ts";
import { karcher } from "./karcher.ts";
import { layerSwap } from "./layer-swap.ts";
import { linear } from "./linear.ts";
import { maskedTask } from "./masked-task.ts";
import { modelStock } from "./model-stock.ts";
import { multislerp } from "./multislerp.ts";
import { nearswap } from "./nearswap.ts";
import { nuslerp } from "./nuslerp.ts";
import { passthrough } from "./passthrough.ts";
import { pcb } from "./pcb.ts";
import { ram, ramplusTl } from "./ram.ts";
import { sce } from "./sce.ts";
import { slerp } from "./slerp.ts";
import { uniformSoup } from "./soup.ts";
import { consensusTa, consensusTies, tallMasks } from "./tall.ts";
import { taskArithmetic } from "./task-arithmetic.ts";
import { ties } from "./ties.ts";
import { tiesOfficial } from "./ties-official.ts";

export const METHODS = {
  linear,
  slerp,
  nuslerp,
  multislerp,
  karcher,
  task_arithmetic: taskArithmetic,
  ties,
  ties_official: tiesOfficial,
  dare_linear: dareLinear,
  dare_ties: dareTies,
  della,
  della_linear: dellaLinear,
  breadcrumbs,
  breadcrumbs_ties: breadcrumbsTies,
  sce,
  model_stock: modelStock,
  nearswap,
  arcee_fusion: arceeFusion,
  ram,
  ramplus_tl: ramplusTl,
  passthrough,
  fisher,
  df_merge: dfMerge,
  uniform_soup: uniformSoup,
  layer_swap: layerSwap,
  pcb,
  consensus_ta: consensusTa,
  consensus_ties: consensusTies,
  emr,
  tall_masks: tallMasks,
  masked_task: maskedTask,
} satisfies Record<string, MergeMethod> as Readonly<Record<string, MergeMethod>>;

/** The method of that name; throws a RangeError that lists the known ones. */
export function methodNamed(name: string): MergeMethod {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (!method) throw new RangeError(`unknown merge method ${name}: known are ${Object.keys(METHODS).join(", ")}`);
  return method;
}
