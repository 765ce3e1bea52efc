// What the Gaussian process asks of a stationary covariance function: correlation as a function of the squared
// distance r2 = sum_k (x_k - x'_k)^2 / l_k^2, so that one file holds one kernel and nothing else knows its formula.

export interface Kernel {
  /** Correlation at r2 >= 0; 1 at r2 = 0. */
  correlation(r2: number): number;
  /** d correlation / d r2; finite at r2 = 0. */
  derivative(r2: number): number;
}
