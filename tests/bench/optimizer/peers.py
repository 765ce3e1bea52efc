"""Optuna's samplers and BoTorch, asked and told by JSON lines on standard input and output.

Requests: {"op": "start", "solver", "dimensions", "goal", "seed"}, {"op": "ask"}, {"op": "tell", "id", "values", "standardErrors"?},
{"op": "recommend"}. Scores are maximised. An ask answers with the milliseconds it took here.
"""

import json
import sys
import time
import warnings

import numpy as np
import optuna
import torch

warnings.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
torch.set_num_threads(1)


class Optuna:
    """Samplers with their defaults. It knows no standard errors, and recommends the best observed point: of those that keep the bounds, or
    else of those that break them least."""

    def __init__(self, create_sampler, dimensions, goal):
        metrics = goal.get("metrics", ["score"])
        self.is_front = goal.get("objective", {}).get("kind") == "pareto"
        self.bounds = [(metrics.index(c["metric"]), c["atLeast"]) for c in goal.get("constraints", [])]
        options = {"constraints_func": lambda trial: trial.user_attrs["excess"]} if self.bounds else {}
        directions = ["maximize"] * (len(metrics) if self.is_front else 1)
        self.study = optuna.create_study(directions=directions, sampler=create_sampler(**options))
        self.dimensions = dimensions
        self.trials = []

    def ask(self):
        trial = self.study.ask()
        self.trials.append(trial)
        values = {}
        for dimension in self.dimensions:
            values |= self.suggest(trial, dimension)
        return trial.number, values

    def suggest(self, trial, dimension):
        if dimension["kind"] != "simplex":
            return {dimension["name"]: self.suggest_one(trial, dimension)}
        # The Optuna documentation's way to a uniform point of a simplex.
        members = dimension["members"]
        parts = [-np.log(max(trial.suggest_float(member, 0, 1), 1e-12)) for member in members]
        return {member: part / sum(parts) for member, part in zip(members, parts)}

    def suggest_one(self, trial, dimension):
        name, kind = dimension["name"], dimension["kind"]
        if kind == "categorical":
            return trial.suggest_categorical(name, dimension["choices"])
        if kind == "integer":
            return trial.suggest_int(name, dimension["low"], dimension["high"])
        return trial.suggest_float(name, dimension["low"], dimension["high"], log=dimension.get("scale") == "log")

    def tell(self, number, values, _errors):
        trial = self.trials[number]
        if self.bounds:
            trial.set_user_attr("excess", [at_least - values[metric] for metric, at_least in self.bounds])
        self.study.tell(trial, values if self.is_front else sum(values) / len(values))

    def recommend(self):
        if not self.bounds:
            return self.study.best_trial.number
        done = [t for t in self.study.trials if t.state.is_finished()]
        worst = lambda t: max(0, *t.user_attrs["excess"])
        return min(done, key=lambda t: (worst(t), -t.value)).number


class BoTorch:
    """SingleTaskGP with its default priors and qLogNoisyExpectedImprovement with Ax's settings: Sobol points first (the
    centre before them), 20 restarts from 1024 raw samples, pending points in the baseline, known standard errors given.
    Boxes of floats only."""

    def __init__(self, dimensions, seed, started):
        torch.manual_seed(seed)
        self.dimensions = dimensions
        self.sobol = torch.quasirandom.SobolEngine(len(dimensions), scramble=True, seed=seed)
        self.started = started
        self.points = []
        self.told = {}

    def ask(self):
        # Ax: 5 points, the centre and Sobol's, and until half of them are told.
        if len(self.points) < self.started or len(self.told) < max(1, self.started // 2):
            first = torch.full((1, len(self.dimensions)), 0.5)
            unit = first if not self.points else self.sobol.draw(1)
            unit = unit.double()
        else:
            unit = self.propose()
        self.points.append(unit)
        return len(self.points) - 1, {
            d["name"]: d["low"] + float(u) * (d["high"] - d["low"]) for d, u in zip(self.dimensions, unit[0])
        }

    def data(self):
        ids = sorted(self.told)
        x = torch.cat([self.points[i] for i in ids])
        y = torch.tensor([[self.told[i][0]] for i in ids], dtype=torch.double)
        errors = [self.told[i][1] for i in ids]
        known = all(e is not None for e in errors)
        variance = torch.tensor([[e**2] for e in errors], dtype=torch.double) if known else None
        return ids, x, y, variance

    def model(self):
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        ids, x, y, variance = self.data()
        model = SingleTaskGP(x, y, variance)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return ids, x, model

    def propose(self):
        from botorch.acquisition.logei import qLogNoisyExpectedImprovement
        from botorch.optim import optimize_acqf
        from botorch.sampling import SobolQMCNormalSampler

        _, x, model = self.model()
        pending = [p for i, p in enumerate(self.points) if i not in self.told]
        acquisition = qLogNoisyExpectedImprovement(
            model,
            X_baseline=x,
            sampler=SobolQMCNormalSampler(torch.Size([512]), seed=len(self.points)),
            prune_baseline=True,
            X_pending=torch.cat(pending) if pending else None,
        )
        bounds = torch.stack([torch.zeros(x.shape[1]), torch.ones(x.shape[1])]).double()
        options = {"batch_limit": 20, "maxiter": 200}
        unit, _ = optimize_acqf(acquisition, bounds, q=1, num_restarts=20, raw_samples=1024, options=options)
        return unit.detach()

    def tell(self, number, values, errors):
        self.told[number] = (values[0], errors[0] if errors else None)

    def recommend(self):
        ids, x, model = self.model()
        with torch.no_grad():
            return ids[int(model.posterior(x).mean.argmax())]


def create(solver, dimensions, goal, seed):
    if solver == "botorch":
        return BoTorch(dimensions, seed, 5)
    samplers = {
        "optuna-gp": lambda **options: optuna.samplers.GPSampler(seed=seed, **options),
        "optuna-tpe": lambda **options: optuna.samplers.TPESampler(seed=seed, **options),
        # These two look at no constraints.
        "optuna-cmaes": lambda **_: optuna.samplers.CmaEsSampler(seed=seed),
        "optuna-random": lambda **_: optuna.samplers.RandomSampler(seed=seed),
    }
    return Optuna(samplers[solver], dimensions, goal)


def main():
    solver = None
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        answer = {}
        if op == "start":
            solver = create(**request)
        elif op == "ask":
            wall, cpu = time.perf_counter(), time.process_time()
            number, values = solver.ask()
            answer = {
                "id": number,
                "values": values,
                "wallMs": 1000 * (time.perf_counter() - wall),
                "cpuMs": 1000 * (time.process_time() - cpu),
            }
        elif op == "tell":
            solver.tell(request["id"], request["values"], request.get("standardErrors"))
        elif op == "recommend":
            answer = {"id": solver.recommend()}
        print(json.dumps(answer), flush=True)


main()
