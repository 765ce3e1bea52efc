// What the Gaussian process asks of a stationary covariance function: correlations as functions of the squared
// distance r2 = sum_k (x_k - x'_k)^2 / l_k^2, so that one file holds one kernel and nothing else knows its formula.

export interface Kernel {
  /**
   * Replaces the first `count` squared distances in `values` (each >= 0) by their correlations, 1 at distance 0. With
   * `derivatives`, writes d correlation / d r2 there, finite at distance 0; one exponential serves both.
   */
  correlate(values: Float64Array, count: number, derivatives?: Float64Array): void;
}
