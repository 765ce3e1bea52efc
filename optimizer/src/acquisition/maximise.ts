// Maximises the acquisition over the unit cube: many scrambled Sobol points and local perturbations of the
// incumbents (Gaussian, on random subsets of coordinates, which keeps high dimensions alive: Regis and Shoemaker
// 2013), then L-BFGS from the best and from a Boltzmann sample of the rest, a short way for all and to the end for the
// best. Discrete dimensions do not move in L-BFGS: they are searched one after the other, taking the best of their
// values with all others held, in turn with it.

import { type LbfgsOptions, minimise } from "../numerics/lbfgs.ts";
import { createStream, purposes, type RandomStream } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Group, Space } from "../space/space.ts";
import type { Acquisition } from "./acquisition.ts";

export interface MaximiseInput {
  readonly space: Space;
  readonly acquisition: Acquisition;
  /** Cheaper and nearly the same: tells which of the scattered candidates are worth the acquisition itself. */
  readonly screen?: Acquisition | undefined;
  /** Unit coordinates of the points most likely to be best, best first; at least one. */
  readonly incumbents: readonly Float64Array[];
  /** A short way up is enough: the candidates are only a field to choose from. */
  readonly isRough?: boolean;
  /** Key of the random draws. */
  readonly seed: number;
  readonly trial: number;
}

const localCount = 192;
/** Scattered candidates that are left when they were screened. */
const screenedCount = 160;
/** Starts that are climbed some way, and how many of them to the top. */
const climbCount = 8;
const climbing = { maxIterations: 10, gradientTolerance: 1e-3, valueTolerance: 1e-4 };
const finishCount = 2;
const finishing = { maxIterations: 50, gradientTolerance: 1e-5, valueTolerance: 1e-7 };
/** Climbed points whose discrete dimensions are searched, and evaluations that each may take. */
const discreteCount = 3;
const discreteEvaluations = 256;

export interface Candidate {
  readonly x: Float64Array;
  readonly value: number;
}

type Score = (candidates: readonly Float64Array[], by?: Acquisition) => Candidate[];

/** Candidates that can be proposed (inside the cube, integers on their bins), best acquisition value first. */
export function rankCandidates(input: MaximiseInput): Candidate[] {
  const { space, acquisition, screen, seed, trial } = input;
  const stream = createStream(seed, trial, purposes.perturbation);
  const score: Score = (candidates, by = acquisition) => {
    const points = new Float64Array(candidates.length * space.size);
    for (const [index, x] of candidates.entries()) {
      space.snap(x);
      points.set(x, index * space.size);
    }
    const values = new Float64Array(candidates.length);
    by.evaluate(points, candidates.length, values);
    return candidates.map((x, index) => ({ x, value: values[index]! }));
  };
  const everywhere = [...scatter(input), ...perturb(input, stream)];
  const worth =
    screen === undefined
      ? everywhere
      : score(everywhere, screen)
          .toSorted(byValue)
          .slice(0, screenedCount)
          .map(({ x }) => x);
  const scattered = score(worth).toSorted(byValue);
  const polished = (starts: readonly Candidate[], limits: LbfgsOptions): Candidate[] =>
    score(starts.map((start) => polish(input, start.x, limits))).toSorted(byValue);
  const climbed = polished(pickStarts(scattered, stream), climbing);
  for (const leader of climbed.slice(0, discreteCount)) {
    const moved = searchDiscrete(input, leader, score, stream);
    if (moved !== leader) climbed.push(moved);
  }
  const leaders = input.isRough ? [] : climbed.toSorted(byValue).slice(0, finishCount);
  const finished = polished(leaders, finishing);
  return [...finished, ...climbed, ...scattered].toSorted(byValue);
}

// NaN cannot occur: the acquisition is finite on the cube.
const byValue = (a: Candidate, b: Candidate): number => b.value - a.value;

/**
 * Coordinate search: each discrete dimension in turn, from a random one on, takes its best value, until none does better
 * or enough was tried.
 */
function searchDiscrete({ space }: MaximiseInput, start: Candidate, score: Score, stream: RandomStream): Candidate {
  const discrete = discreteGroups(space);
  const first = Math.floor(stream.uniform() * discrete.length);
  let best = start;
  let left = discreteEvaluations;
  for (let before: Candidate | undefined; before !== best && left > 0; ) {
    before = best;
    for (const group of [...discrete.slice(first), ...discrete.slice(0, first)]) {
      const others = group.neighbours(best.x).slice(0, left);
      left -= others.length;
      best = [best, ...score(others)].toSorted(byValue)[0]!;
    }
  }
  return best;
}

const discreteGroups = (space: Space): Group[] => space.groups.filter(({ from }) => space.steps[from]! > 0);

function scatter({ space, seed, trial }: MaximiseInput): Float64Array[] {
  const sobol = createSobol(space.size, createStream(seed, trial, purposes.candidates));
  return Array.from({ length: space.size > 20 ? 1024 : 512 }, (_, index) => {
    const x = new Float64Array(space.size);
    sobol.point(index, x);
    space.spread(x);
    return x;
  });
}

/** Steps of 0.25 down to 0.0025 of the cube around the leading incumbents. */
function perturb({ space, incumbents }: MaximiseInput, stream: RandomStream): Float64Array[] {
  const centres = incumbents.slice(0, 4);
  const discrete = discreteGroups(space);
  return Array.from({ length: localCount }, (_, index) => {
    const x = Float64Array.from(centres[index % centres.length]!);
    const step = 0.25 * Math.exp(-Math.log(100) * stream.uniform());
    const share =
      stream.uniform() < 0.5 ? 1 : Math.min(1, Math.max(1 / space.size, (20 / space.size) * stream.uniform()));
    const always = Math.floor(stream.uniform() * space.size);
    for (let k = 0; k < space.size; k++) {
      const isMoved = stream.uniform() < share || k === always;
      if (isMoved) x[k] = Math.min(1, Math.max(0, x[k]! + step * stream.normal()));
    }
    // Small steps never leave a bin: every other time one discrete dimension takes another value.
    for (const group of discrete) {
      if (stream.uniform() >= 0.5 / discrete.length) continue;
      const others = group.neighbours(x);
      x.set(others[Math.floor(stream.uniform() * others.length)]!);
    }
    return x;
  });
}

/**
 * The best candidate, then others drawn without replacement with probability proportional to exp(2 z), z their
 * standard score (by the Gumbel trick: the largest of log weight + Gumbel noise is such a draw).
 */
function pickStarts(sorted: readonly Candidate[], stream: RandomStream): Candidate[] {
  const count = sorted.length;
  const top = sorted[0]!.value;
  const mean = sorted.reduce((sum, { value }) => sum + (value - top) / count, 0);
  const variance = sorted.reduce((sum, { value }) => sum + (value - top - mean) ** 2 / count, 0);
  const deviation = Math.sqrt(variance) || 1;
  const drawn = sorted
    .slice(1)
    .map((candidate) => {
      const gumbel = -Math.log(-Math.log(stream.uniform()));
      return { candidate, key: (2 * (candidate.value - top)) / deviation + gumbel };
    })
    .toSorted((a, b) => b.key - a.key);
  return [sorted[0]!, ...drawn.slice(0, climbCount - 1).map(({ candidate }) => candidate)];
}

/** Local maximum near `start`; discrete coordinates stay where they are. */
function polish({ space, acquisition }: MaximiseInput, start: Float64Array, limits: LbfgsOptions): Float64Array {
  const value = new Float64Array(1);
  const negated = (x: Float64Array, gradient: Float64Array): number => {
    acquisition.evaluate(x, 1, value, gradient);
    for (let k = 0; k < gradient.length; k++) gradient[k] = -gradient[k]!;
    return -value[0]!;
  };
  const low = Float64Array.from(start, (u, k) => (space.steps[k]! > 0 ? u : 0));
  const high = Float64Array.from(start, (u, k) => (space.steps[k]! > 0 ? u : 1));
  return minimise(negated, start, low, high, limits).x;
}
