# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The suite costs: how long receipts say that steps take beside what they take here, and the costs/*.yaml that fits this
machine.

A step's time is a sum over its work (products, element-wise operations, bytes, bytes of weights); what a unit of each
costs in a kernel family is fitted to all steps of all models at once, by least squares of relative errors without
negative costs.
"""

import collections
import json
import os
import re
import subprocess

import numpy as np

from evaluation.bench.models import names, prepared

UNITS = {
    "product": "products",
    "float_product": "float_products",
    "operation": "operations",
    "byte": "bytes",
    "weight_byte": "weights_bytes",
}
STEP_US = 0.3  # of a step that does nothing to speak of
FEWEST_STEPS = 4  # that say what a family costs


def steps(bench, library, variant):
    """[(family, work by unit, measured us, predicted us)] of one library on one variant; empty where it cannot run."""
    command = [os.path.join(bench.tools.bin, "q-run"), library, "--profile"]
    environment = {**os.environ, "QDIALECT_CPU": variant}
    fastest = collections.defaultdict(lambda: float("inf"))
    for _ in range(1 if bench.quick else 3):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            return []
        for step, time in re.findall(r"^profile +(\d+) +([\d.]+) ms", done.stdout, re.M):
            fastest[int(step)] = min(fastest[int(step)], float(time) * 1e3)
    with open(os.path.splitext(library)[0] + ".receipt.json") as file:
        layers = json.load(file)["layers"]
    return [
        (
            layer["kernel"],
            [layer["work"].get(key, layer.get(key, 0)) for key in UNITS.values()],
            fastest[layer["step"]],
            layer["predicted_us"][variant],
        )
        for layer in layers
        if variant in layer.get("predicted_us", {}) and fastest[layer["step"]] > STEP_US
    ]


def fitted(work, times):
    """Costs in ns a unit, none negative, by coordinate descent on relative errors."""
    matrix = np.array(work, float) * 1e-3 / np.array(times)[:, None]
    target = 1 - STEP_US / np.array(times)
    costs = np.zeros(matrix.shape[1])
    squares = (matrix * matrix).sum(axis=0)
    for _ in range(5000):
        for unit in np.flatnonzero(squares):
            error = target - matrix @ costs
            costs[unit] = max(0, costs[unit] + matrix[:, unit] @ error / squares[unit])
    return costs


def as_yaml(all_steps):
    """The text of a costs file that fits these steps."""
    families = collections.defaultdict(list)
    for family, work, time, _ in all_steps:
        families[family].append((work, time))
    few = [family for family, found in families.items() if len(found) < FEWEST_STEPS]
    families["other"] = [
        step for family, found in families.items() if family in few or family != "contraction" for step in found
    ]
    lines = [f"step_us: {STEP_US}", "families:"]
    for family in sorted(set(families) - set(few)):
        costs = fitted(*zip(*families[family], strict=True))
        said = ", ".join(f"{unit}: {cost:.3g}" for unit, cost in zip(UNITS, costs, strict=True) if cost > 0)
        lines.append(f"  {family}: {{{said}}}")
    return "\n".join(lines)


def suite(bench):
    """Predicted over measured, by model and variant, and the costs that this machine would have."""
    measured = collections.defaultdict(list)
    for name in names(bench):
        model, samples = prepared(bench, name)[:2]
        data = bench.tools.path(f"{name}-costs.npz")
        np.savez(data, **samples)
        for recipe in ("w8a8-int", "float"):
            library = bench.tools.path(f"{name}-costs-{recipe}.so")
            calibration = ("--calibration", data) if recipe != "float" else ()
            bench.tools.compile(model.float, library, "--recipe", recipe, *model.flags, *calibration)
            info = bench.tools.run("q-run", library, "--info")
            for variant in re.search(r"^variants +(.*)$", info, re.M).group(1).split(", "):
                found = steps(bench, library, variant)
                if not found:
                    continue
                measured[variant] += found
                times, predicted = (np.array([step[i] for step in found]) for i in (2, 3))
                bench.report.add(
                    "costs",
                    f"{name} {recipe} {variant}",
                    "predicted over measured",
                    predicted.sum() / times.sum(),
                    None,
                    f"{times.sum() / 1e3:.2f} ms; half of the steps within a factor of "
                    f"{np.exp(np.median(np.abs(np.log(predicted / times)))):.2f}",
                )
    for variant, found in measured.items():
        print(f"costs/{variant}.yaml for this machine:\n{as_yaml(found)}")
