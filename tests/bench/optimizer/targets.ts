// What the optimizer was meant to reach in the median of 20 seeds, and the best median that the authors of the targets had
// measured of Optuna or BoTorch before (5 to 10 seeds, other random numbers).

export interface Target {
  readonly case: string;
  readonly completed: number;
  readonly regret: number;
  readonly measuredBefore: string;
}

const target = (name: string, completed: number, regret: number, measuredBefore: string): Target => ({
  case: name,
  completed,
  regret,
  measuredBefore,
});

export const targets: readonly Target[] = [
  target("branin2", 50, 3e-5, "3.6e-5 Optuna GP"),
  target("hartmann6", 50, 1e-3, "2.1e-3 Optuna GP"),
  target("hartmann6", 100, 1e-5, "4.6e-4 Optuna GP"),
  target("hartmann6_async8", 120, 1e-4, "1.1e-4 Optuna GP"),
  target("hartmann6_in30", 150, 1e-3, "0.12 Optuna GP"),
  target("michalewicz5", 100, 0.5, "2.0 TPE, CMA-ES"),
  target("ackley10", 150, 0.5, "3.6 Optuna GP"),
  target("levy10", 150, 0.9, "1.0 Optuna GP"),
  target("rosenbrock6", 120, 60, "96 TPE"),
  target("hartmann6_noisy0.2", 100, 0.07, "0.33 Optuna GP"),
  target("merge8_n100_async4", 50, 0.01, "0.022 TPE"),
  target("merge8_n100_async4", 100, 0.005, "0.012 Optuna GP"),
  target("merge32_n200", 150, 0.013, "0.023 CMA-ES"),
];

/** Shares of seeds that find the global basin. */
export const basinTargets: readonly Target[] = [
  target("hartmann6", 100, 0.9, "90 % Optuna GP"),
  target("hartmann6_async8", 120, 0.8, "60 % Optuna GP"),
];
