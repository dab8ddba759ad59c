# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mixed precision: HAWQ-V3's published instances to optimality, and a plan of our own for EfficientNet-Lite0."""

import json
import os
import time

import numpy as np

from evaluation import peers
from evaluation.efficientnet_lite0 import agreement
from evaluation.report import sqnr
from models import build, photographs

INSTANCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hawq_instances.json")
FRACTIONS = (0.25, 0.5, 0.75)
CROPS = 256
# Of the int8 library.
SHARE = 0.6


class Instance:
    """One network of the paper: losses and costs of 4 and 8 bits for each layer."""

    def __init__(self, figures):
        self.ties = figures["ties"]
        self.published = figures["published"]
        array = {key: np.array(value, float) for key, value in figures.items() if key not in ("ties", "published")}
        self.loss = {bits: array["trace"] * array[f"error{bits}"] for bits in (4, 8)}
        self.costs = {bits: {"size": array["parameters"] * bits / 8, "bops": array["macs"] * bits * bits,
                             "latency": array[f"latency{bits}"]} for bits in (4, 8)}

    def limit(self, resource, fraction):
        low, high = (self.costs[bits][resource].sum() for bits in (4, 8))
        return low + fraction * (high - low)

    def value(self, eight):
        """The loss with these layers at 8 bits."""
        mask = np.zeros(len(self.loss[4]), bool)
        mask[eight] = True
        return float(np.where(mask, self.loss[8], self.loss[4]).sum())

    def table(self):
        """The instance as q-search reads it."""
        layers = [{"name": f"layer{i}", "kind": "conv",
                   "choices": {f"w{bits}a{bits}": {"loss": self.loss[bits][i],
                                                   **{key: cost[i] for key, cost in self.costs[bits].items()}}
                               for bits in (4, 8)}} for i in range(len(self.loss[4]))]
        return {"format": "qdialect-search-table", "version": 1, "metric": "hessian",
                "rest": {"size": 0, "bops": 0, "latency": 0}, "layers": layers, "ties": self.ties}

    def optimum(self, resource, fraction):
        """The least loss, found without a linear program: branch and bound over tied layers, bounded by the fractional
        knapsack of what is left."""
        tied = {layer for tie in self.ties for layer in tie}
        groups = self.ties + [[i] for i in range(len(self.loss[4])) if i not in tied]
        gains = [sum(self.loss[4][i] - self.loss[8][i] for i in group) for group in groups]
        costs = [sum(self.costs[8][resource][i] - self.costs[4][resource][i] for i in group) for group in groups]
        order = sorted(range(len(groups)), key=lambda g: -gains[g] / costs[g])
        gains, costs = [gains[g] for g in order], [costs[g] for g in order]
        room = (self.limit(resource, fraction) - self.costs[4][resource].sum()) * (1 + 1e-12)
        best = 0.0

        def bound(first, room):
            total = 0.0
            for gain, cost in zip(gains[first:], costs[first:]):
                if cost > room:
                    return total + gain * room / cost
                total, room = total + gain, room - cost
            return total

        stack = [(0, room, 0.0)]
        while stack:
            first, left, gained = stack.pop()
            best = max(best, gained)
            if first == len(gains) or gained + bound(first, left) <= best:
                continue
            stack.append((first + 1, left, gained))
            if costs[first] <= left:
                stack.append((first + 1, left - costs[first], gained + gains[first]))
        return float(self.loss[4].sum() - best)


UNITS = {"size": "B", "bops": "", "latency": "ms"}


def evaluate_instances(report, tools):
    with open(INSTANCES) as file:
        networks = {name: Instance(value) for name, value in json.load(file).items() if name != "source"}
    optimal = 0
    for name, instance in networks.items():
        table, answer = tools.path("table.json"), tools.path("answer.json")
        with open(table, "w") as file:
            json.dump(instance.table(), file)
        for resource in ("size", "bops", "latency"):
            for fraction in FRACTIONS:
                limit = f"{instance.limit(resource, fraction):.15g}{UNITS[resource]}"
                tools.run("q-search", table, "--search", f"{resource}<={limit}", "--json", answer)
                with open(answer) as file:
                    plan = json.load(file)
                case = f"{name} {resource} {fraction:g}"
                best = instance.optimum(resource, fraction)
                published = instance.value(instance.published[f"{resource} {fraction:g}"])
                # Two sums of the same numbers in another order.
                optimal += plan["loss"] <= best * (1 + 1e-9)
                report.add("hawq", case, "trace * error^2", plan["loss"], ("<=", best * (1 + 1e-9)),
                           f"published {published:.5g}")
                report.add("hawq", case, "seconds", plan["seconds"], ("<=", 1))
    report.add("hawq", "published instances", "solved to optimality", optimal, ("==", 18))


def fastest(model, image, runs=40):
    """Milliseconds of the fastest of some runs of each model, taken in turn."""
    best = {name: float("inf") for name in model}
    for _ in range(runs):
        for name, instance in model.items():
            begin = time.perf_counter()
            instance.run(image=image)
            best[name] = min(best[name], time.perf_counter() - begin)
    return {name: 1e3 * seconds for name, seconds in best.items()}


def evaluate_efficientnet(report, tools):
    """A plan at SHARE of the int8 library's size, between uniform int8 and uniform int4."""
    from qdialect import Model

    onnx = build.cached("efficientnet-lite0")
    crops = photographs.evaluation(CROPS)
    data, statistics = tools.path("photographs.npz"), tools.path("statistics.json")
    np.savez(data, image=photographs.calibration())
    common = ("--calibration", data, "--statistics", statistics, "--fail-on-fallback", "--target-cpu", "native")
    paths = {"int8": tools.compile(onnx, tools.path("int8.so"), *common)}
    size = os.path.getsize(paths["int8"])
    uniform = tools.path("int4.yaml")
    with open(uniform, "w") as file:
        file.write("name: int4\nbase: w8a8-int\nweights: {format: s4, estimator: mse}\n")
    paths["int4"] = tools.compile(onnx, tools.path("int4.so"), *common, "--recipe", uniform)
    plan, limits = tools.path("plan.yaml"), f"size<={SHARE * size:.0f}B,metric=kl"
    paths["mixed"] = tools.compile(onnx, tools.path("mixed.so"), *common, "--search", limits, "--search-plan", plan)
    replayed = tools.compile(onnx, tools.path("replayed.so"), *common, "--recipe", plan)
    float_logits = peers.run_all(onnx, "image", crops)
    models = {name: Model(path, threads=1) for name, path in paths.items()}
    times = fastest(models, crops[:1])
    found = {}
    for name, model in models.items():
        logits = np.concatenate([model.run(image=x[None])["logits"] for x in crops])
        case = f"EfficientNet-Lite0 {name}"
        found[name] = sqnr(float_logits, logits)
        report.add("hawq", case, "file / int8 file", os.path.getsize(paths[name]) / size,
                   ("<=", SHARE) if name == "mixed" else None)
        report.add("hawq", case, "file MB", os.path.getsize(paths[name]) / 1e6)
        report.add("hawq", case, "weights MB", model.receipt["totals"]["weights_bytes"] / 1e6)
        report.add("hawq", case, "logits SQNR dB", found[name], (">=", found["int4"]) if name == "mixed" else None)
        report.add("hawq", case, "top-1 agreement %", agreement(float_logits, logits))
        report.add("hawq", case, "ms, 1 thread", times[name])
    with Model(replayed, threads=1) as again:
        equal = np.array_equal(again.run(image=crops[:1])["logits"], models["mixed"].run(image=crops[:1])["logits"])
    report.add("hawq", "EfficientNet-Lite0 mixed", "replayed plan gives the same bits", int(equal), ("==", 1))


def evaluate(report, tools):
    evaluate_instances(report, tools)
    if not tools.quick:
        evaluate_efficientnet(report, tools)
