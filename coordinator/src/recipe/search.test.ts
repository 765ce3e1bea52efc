import { expect, test } from "vitest";
import {
  leftToSearch,
  parseRecipe,
  type Recipe,
  searchDimensions,
  stringifyRecipe,
  studyDimensions,
  variantsOf,
  withCoefficients,
} from "./index.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const parse = (text: string): Recipe => parseRecipe(text, { fileName: "r.yaml" });

const problemsOf = (text: string): string[] => problemsIn(text, "r.yaml");

const HEAD = `merge_method: df_merge
base_model: base
models:
- {model: x/a}
- {model: x/b, parameters: {weight: 0.25}}
evaluate:
  tasks: [a.yaml, b.yaml]
`;

const FULL = `${HEAD}  split: dev
  confirm: test
  compare:
  - models
  - {name: average, merge_method: linear, parameters: {weight: 1}}
  - {merge_method: task_arithmetic, weights: {a: 0.1, b: 0.9}, parameters: {lambda: 0.4}}
search:
  trials: 12
  parallel: 3
  coefficients:
    weight: {low: 0.1, high: 0.9}
    epsilon: {low: 1.0e-12, high: 1.0e-6, scale: log}
  start:
  - {a: 0.5, b: 0.5, epsilon: 1.0e-9}
`;

test("a search over weights is the default, 30 trials with 2 in flight", () => {
  const recipe = parse(`${HEAD}search:\n`);
  expect(recipe.search).toMatchObject({ trials: 30, parallel: 2, start: [] });
  expect(searchDimensions(recipe)).toEqual([
    { name: "weight[a]", kind: "float", low: 0, high: 1, scale: "linear" },
    { name: "weight[b]", kind: "float", low: 0, high: 1, scale: "linear" },
  ]);
});

test("coefficients give one dimension per model, or one for the recipe", () => {
  const recipe = parse(FULL);
  expect(searchDimensions(recipe).map(({ name, scale }) => [name, scale])).toEqual([
    ["weight[a]", "linear"],
    ["weight[b]", "linear"],
    ["epsilon", "log"],
  ]);
  expect(recipe.search?.start).toEqual([{ "weight[a]": 0.5, "weight[b]": 0.5, epsilon: 1e-9 }]);
});

test("found coefficients are written into the recipe, which then merges without a search", () => {
  const values = { "weight[a]": 0.3, "weight[b]": 0.7, epsilon: 1e-8 };
  const found = withCoefficients(parse(FULL), values);
  expect(found.search).toBeUndefined();
  expect(found.parameters).toEqual({ epsilon: 1e-8 });
  expect(found.models.map(({ parameters }) => parameters)).toEqual([{ weight: 0.3 }, { weight: 0.7 }]);
  expect(parse(stringifyRecipe(found))).toEqual(found);
});

test("one coefficient for all models stands at the top level and overrides the models' own", () => {
  const recipe = parse(`${HEAD}search: {coefficients: {weight: {per: recipe, low: 0, high: 2}}}\n`);
  expect(searchDimensions(recipe).map(({ name }) => name)).toEqual(["weight"]);
  const found = withCoefficients(recipe, { weight: 0.6 });
  expect(found.parameters).toEqual({ weight: 0.6 });
  expect(found.models.map(({ parameters }) => parameters)).toEqual([{}, {}]);
});

test("a vector that lacks a coefficient is an error, none at all keeps the recipe's own settings", () => {
  const recipe = parse(FULL);
  expect(() => withCoefficients(recipe, { "weight[a]": 0.3 })).toThrow("coefficient weight[b] has no value");
  expect(withCoefficients(recipe, {}).models).toEqual(recipe.models);
  expect(leftToSearch(recipe)).toEqual(["weight"]);
  expect(leftToSearch(parse(HEAD.replace("{model: x/a}", "{model: x/a, parameters: {weight: 1}}")))).toEqual([]);
});

test("the text of a recipe reads back as the same recipe", () => {
  const recipe = parse(FULL);
  expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
  const conditional = parse(`merge_method: ties
base_model: b
models: [{model: a, parameters: {weight: [{filter: mlp, value: [0.2, 0.8]}, {value: 0.4}], density: [0.1, 1]}}]
parameters: {normalize: false}
dtype: bfloat16
`);
  expect(parse(stringifyRecipe(conditional))).toEqual(conditional);
});

test("the variants are the recipe's own merge, then the rows of the comparison with their own options", () => {
  const variants = variantsOf(parse(FULL));
  expect(
    variants.map(({ name, role, parts, merge }) => [
      name,
      role,
      merge.method,
      parts[0]?.base?.model.path,
      merge.models.length,
    ]),
  ).toEqual([
    ["df_merge (searched)", "recipe", "df_merge", "base", 2],
    ["base", "comparison", "linear", undefined, 1],
    ["a", "comparison", "linear", undefined, 1],
    ["b", "comparison", "linear", undefined, 1],
    ["average", "comparison", "linear", undefined, 2],
    ["task_arithmetic", "comparison", "task_arithmetic", "base", 2],
  ]);
  expect(variants[4]?.parts[0]?.options).toEqual({ normalize: true });
  expect(variants[4]?.merge.models.map(({ parameters }) => parameters)).toEqual([{}, {}]);
  expect(variants[5]?.merge.models.map(({ parameters }) => parameters)).toEqual([{ weight: 0.1 }, { weight: 0.9 }]);
  expect(variants[5]?.parts[0]?.options).toEqual({ normalize: false });
});

test("two rows of the same name are refused", () => {
  const text = `${HEAD}  compare:\n  - {name: a, merge_method: linear, parameters: {weight: 1}}\n  - models\n`;
  expect(problemsOf(text.replace("x/a}", "x/a, parameters: {weight: 1}}"))).toEqual([
    "r.yaml:6: two rows of the comparison are named `a`: give one of them another `name`",
  ]);
});

test("problems of the evaluate section name key and line", () => {
  const evaluate = (body: string) =>
    problemsOf(`merge_method: linear\nmodels: [{model: a}]\nparameters: {weight: 1}\nevaluate:\n${body}`);
  expect(evaluate("  split: dev\n")).toEqual(["r.yaml:5: `evaluate` needs `tasks`"]);
  expect(evaluate("  tasks: []\n")).toEqual(["r.yaml:5: `tasks` is empty: name at least one task file"]);
  expect(evaluate("  tasks: [t, t]\n")).toEqual(["r.yaml:5: task `t` is listed twice"]);
  expect(evaluate("  tasks: [t]\n  objective: min\n")).toEqual(["r.yaml:6: `objective` must be one of `mean`"]);
  expect(evaluate("  tasks: [t]\n  compare: [modles]\n")).toEqual([
    "r.yaml:6: an item of `compare` that is a word must be one of `models` (did you mean `models`?)",
  ]);
  expect(evaluate("  tasks: [t]\n  compare:\n  - {merge_method: ties, weights: {b: 1}}\n")).toEqual([
    "r.yaml:7: unknown model `b` in `weights` (did you mean `a`?)",
    "r.yaml:7: method `ties` needs `base_model`: the checkpoint that the models were tuned from",
  ]);
});

test("problems of the search section name key, line and rule", () => {
  const search = (body: string) => problemsOf(`${HEAD}search:\n  ${body}\n`);
  expect(search("trials: 0")).toContain("r.yaml:9: `trials` must be from 1 to 100000, not 0");
  expect(search("parallel: 1.5")).toContain("r.yaml:9: `parallel` must be a whole number, not 1.5");
  expect(search("coefficients: {wieght: {low: 0, high: 1}}")).toContainEqual(
    expect.stringMatching(/^r.yaml:9: method `df_merge` has no parameter `wieght` \(did you mean `weight`\?\)/),
  );
  expect(search("coefficients: {epsilon: {low: 0}}")).toContain("r.yaml:9: the coefficient `epsilon` needs `high`");
  expect(search("coefficients: {epsilon: {low: -1, high: 1}}")).toContain(
    "r.yaml:9: `low` of the coefficient `epsilon` must be at least 0, not -1",
  );
  expect(search("coefficients: {weight: {low: 1, high: 0}}")).toContain(
    "r.yaml:9: the coefficient `weight`: `low` (1) must be less than `high` (0)",
  );
  expect(search("coefficients: {weight: {scale: log}}")).toContain(
    "r.yaml:9: the coefficient `weight`: `scale: log` needs `low` above 0",
  );
  expect(search("coefficients: {epsilon: {per: model, low: 0, high: 1}}")).toContain(
    "r.yaml:9: the coefficient `epsilon` is one number for the whole merge: use `per: recipe`",
  );
  expect(search("start: [{a: 0.5}]")).toEqual([
    "r.yaml:9: a point of `start` needs every coefficient: add `weight[b]`",
  ]);
  expect(search("start: [{a: 2, c: 1}]")).toEqual([
    "r.yaml:9: `weight[a]` must be from 0 to 1, not 2",
    "r.yaml:9: unknown coefficient `c` (coefficients: `weight[a]`, `weight[b]`)",
  ]);
});

test("a coefficient that was refused is one problem: its parameter is not missing, and its starting points are known", () => {
  const head = HEAD.replace("df_merge", "task_arithmetic").replace(", parameters: {weight: 0.25}", "");
  const start = "  start: [{a: 0.5, b: 0.5}]\n";
  expect(problemsOf(`${head}search:\n  coefficients: {weight: {low: .nan}}\n${start}`)).toEqual([
    "r.yaml:9: `low` of the coefficient `weight` must be a finite number, not NaN",
  ]);
  expect(problemsOf(`${head}search:\n  coefficients: {wieght: {high: 2}}\n${start}`)).toEqual([
    expect.stringMatching(/^r.yaml:9: method `task_arithmetic` has no parameter `wieght` \(did you mean `weight`\?\)/),
  ]);
  expect(problemsOf(`${head}search: 30\n`)).toEqual([
    expect.stringMatching(/^r.yaml:8: `search` must be a mapping of `strategy`, `trials`,/),
  ]);
});

test("a search needs tasks, and cannot replace settings that vary over layers", () => {
  const models = "merge_method: linear\nmodels: [{model: a, parameters: {weight: [0, 1]}}]\n";
  expect(problemsOf(`${models}search: {trials: 3}\n`)).toEqual([
    "r.yaml:3: `search` needs an `evaluate` section: its tasks are what the search improves",
    "r.yaml:3: `weight` is searched and also varies over layers: remove one of the two",
  ]);
});

test("what a search is after, where it starts and when it stops reads back as it was written", () => {
  const goal = (body: string): Recipe["search"] => {
    const recipe = parse(`${HEAD}search: {${body}}\n`);
    expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
    return recipe.search;
  };
  expect(goal("trials: 4")).toMatchObject({
    strategy: "bayesian",
    objective: { kind: "mean", normalised: false },
    constraints: [],
    stop: "never",
  });
  for (const strategy of ["random", "sobol", "grid", "cmaes"])
    expect(goal(`strategy: ${strategy}`)?.strategy).toBe(strategy);
  expect(goal("objective: worst")?.objective).toEqual({ kind: "worst", normalised: false });
  expect(goal("objective: normalised")?.objective).toEqual({ kind: "mean", normalised: true });
  expect(goal("objective: {kind: pareto, normalised: true}")?.objective).toEqual({ kind: "pareto", normalised: true });
  expect(goal("objective: {weights: {x: 2, y: 1}}")?.objective).toEqual({
    kind: "mean",
    weights: { x: 2, y: 1 },
    normalised: false,
  });
  expect(goal("constraints: [{task: x, at_least: 0.8}, {every_task_loses_at_most: 0.02}]")?.constraints).toEqual([
    { task: "x", kind: "at_least", amount: 0.8 },
    { kind: "loses_at_most", amount: 0.02 },
  ]);
  expect(goal("stop: auto, warm_start: ../earlier, initial_trials: 6")).toMatchObject({
    stop: "auto",
    warmStart: "../earlier",
    initialTrials: 6,
  });
});

test("values that add up to 1 are one dimension of the study, and read back as they were written", () => {
  const recipe = parse(
    `${HEAD}search: {coefficients: {weight: {simplex: true}}, start: [average, {a: 0.2, b: 0.8}]}\n`,
  );
  expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
  expect(searchDimensions(recipe).map(({ name }) => name)).toEqual(["weight[a]", "weight[b]"]);
  expect(studyDimensions(recipe)).toEqual([{ name: "weight", kind: "simplex", members: ["weight[a]", "weight[b]"] }]);
  expect(withCoefficients(recipe, { "weight[a]": 0.3, "weight[b]": 0.7 }).models.map((one) => one.parameters)).toEqual([
    { weight: 0.3 },
    { weight: 0.7 },
  ]);
  const problem = (body: string): string => problemsOf(`${HEAD}search: {${body}}\n`)[0]!;
  expect(problem("coefficients: {weight: {simplex: true, high: 2}}")).toContain(
    "`high` says nothing where `simplex: true`",
  );
  expect(problem("coefficients: {weight: {}, epsilon: {simplex: true}}")).toContain(
    "`simplex` is for a number of each model",
  );
  expect(problem("coefficients: {weight: {simplex: true}}, start: [{a: 0.2, b: 0.7}]")).toMatch(
    /add up to 0\.\d+ here, and must to 1/,
  );
});

test("the words of `start` are points of weights; what else is searched has its default, or the middle", () => {
  const start = (body: string) => parse(`${HEAD}search: {${body}}\n`).search?.start;
  expect(start("start: [models, average, {a: 0.2, b: 0.3}]")).toEqual([
    { "weight[a]": 1, "weight[b]": 0 },
    { "weight[a]": 0, "weight[b]": 1 },
    { "weight[a]": 0.5, "weight[b]": 0.5 },
    { "weight[a]": 0.2, "weight[b]": 0.3 },
  ]);
  const [point] = start(
    "coefficients: {weight: {}, epsilon: {low: 1.0e-4, high: 1.0e-2, scale: log}}, start: [average]",
  )!;
  expect(point?.["epsilon"]).toBeCloseTo(1e-3, 12);
  expect(problemsOf(`${HEAD}search: {coefficients: {weight: {low: 0.1}}, start: [models]}\n`)).toEqual([
    "r.yaml:8: `models` in `start` is a point of weights: it needs the coefficient `weight` of each model, in a range from 0 to 1",
  ]);
  expect(problemsOf(`${HEAD}search: {start: [avrage]}\n`)[0]).toContain("(did you mean `average`?)");
});

test("problems of what a search is after name line, rule and what to write", () => {
  const problem = (body: string): string => {
    const [first, ...others] = problemsOf(`${HEAD}search:\n  ${body}\n`);
    expect(others).toEqual([]);
    return first!;
  };
  expect(problem("strategy: bayes")).toContain("r.yaml:9: `strategy` must be one of `bayesian`");
  expect(problem("objective: worse")).toContain("(did you mean `worst`?)");
  expect(problem("objective: {kind: worst, weights: {x: 1}}")).toBe(
    "r.yaml:9: `weights` say nothing to an `objective` of kind `worst`",
  );
  expect(problem("objective: {weights: {x: 0}}")).toContain("are all 0");
  expect(problem("constraints: [{task: x}]")).toContain("needs one bound: `at_least`");
  expect(problem("constraints: [{at_least: 0.5}]")).toContain("of all tasks say `every_task_at_least`");
  expect(problem("constraints: [{task: x, every_task_at_least: 0.5}]")).toContain("takes no `task`");
  expect(problem("constraints: [{task: x, at_least: 80}]")).toContain("`at_least` must be from 0 to 1, not 80");
  expect(problem("constraints: [{task: x, at_least: 0.8}, {task: x, at_least: 0.9}]")).toContain(
    "two constraints say `at_least` of task `x`",
  );
  expect(problem("stop: early")).toContain("`stop` must be one of `auto`, `never`");
  expect(problem("{racing: true, objective: worst}")).toContain("it goes with `objective: mean` only");
  expect(problem("{racing: true, constraints: [{task: x, at_least: 0.8}]}")).toContain("remove one of the two");
});

const SOUP = `merge_method: linear
models:
- {model: x/a}
- {model: x/b}
- {model: x/c}
evaluate: {tasks: [a.yaml]}
search: {strategy: greedy_soup, parallel: 3}
`;

test("a greedy soup searches one weight for each model, in two trials for each but one, and writes itself back", () => {
  const recipe = parse(SOUP);
  expect(recipe.search).toMatchObject({ strategy: "greedy_soup", trials: 5, parallel: 3 });
  expect(searchDimensions(recipe).map(({ name }) => name)).toEqual(["weight[a]", "weight[b]", "weight[c]"]);
  expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
});

test("a greedy soup is refused where it would not average, and takes no settings of the other search", () => {
  const soup = "search: {strategy: greedy_soup, parallel: 3}";
  const [problem] = problemsOf(SOUP.replace("evaluate", "parameters: {normalize: false}\nevaluate"));
  expect(problem).toContain("a greedy soup averages models: it needs `merge_method: linear`");
  expect(problemsOf(SOUP.replace(soup, "search: {strategy: greedy_soup, trials: 9}"))[0]).toContain(
    "`trials` says nothing to `strategy: greedy_soup`",
  );
  expect(problemsOf(SOUP.replace("greedy_soup", "greedy"))[0]).toContain("`strategy`");
  expect(problemsOf(SOUP.replace("- {model: x/b}\n- {model: x/c}\n", ""))[0]).toContain("at least two models");
});
