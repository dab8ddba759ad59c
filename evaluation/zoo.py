# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models from other people's packages (models/zoo.py): float outputs equal ONNX Runtime's, int8 is integer throughout.

Inputs are noise, so the SQNR of int8 says how the arithmetic behaves, not how well the network still works.
"""

import os
import shutil

import numpy as np

from evaluation import peers
from evaluation.report import sqnr
from models import zoo


def calibrate(tools, model, seed):
    folder = tools.path("samples")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    rng = np.random.default_rng(seed)
    for i in range(4):
        np.savez(os.path.join(folder, f"{i}.npz"), **model.feed(rng))
    return folder


def difference(wanted, own):
    """Relative to the largest value, or to 1 where all are smaller."""
    return float(max(np.abs(own[key].astype(np.float64) - y).max() / max(1, np.abs(y).max()) for key, y in wanted.items()))


def evaluate_symbolic(report, tools, name, model, path, session):
    """One library for all sizes, at several of them."""
    from qdialect import Model

    dims = [f"--dim={symbol}={bounds}" for symbol, bounds in model.bounds.items()]
    outputs, worst = [o.name for o in session.get_outputs()], 0
    (key, (shape, spread)), = model.inputs.items()
    with Model(tools.compile(path, tools.path("symbolic.so"), "--recipe=float", *dims)) as compiled:
        for number, size in enumerate([shape, *model.shapes]):
            feed = {key: (np.random.default_rng(number).standard_normal(size) * spread).astype(np.float32)}
            wanted = dict(zip(outputs, session.run(None, feed), strict=True))
            worst = max(worst, difference(wanted, compiled.run(**feed)))
    report.add("zoo", f"{name} float, symbolic sizes", "difference to ONNX Runtime", worst, ("<=", 2e-4))


def evaluate(report, tools):
    from qdialect import Model

    for number, name in enumerate(zoo.QUICK if tools.quick else zoo.MODELS):
        model = zoo.MODELS[name]
        path, feed = model.path(), model.feed(np.random.default_rng(1))
        dims = [f"--dim={symbol}={size}" for symbol, size in model.dims.items()]
        session = peers.session(path, threads=2)
        wanted = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))
        with Model(tools.compile(path, tools.path(f"{number}-float.so"), "--recipe=float", *dims)) as compiled:
            own = compiled.run(**feed)
        report.add("zoo", f"{name} float", "difference to ONNX Runtime", difference(wanted, own), ("<=", 2e-4))
        if model.bounds:
            evaluate_symbolic(report, tools, name, model, path, session)
        if not model.integer:
            continue
        samples = calibrate(tools, model, 2)
        largest = max(wanted, key=lambda key: wanted[key].size)
        for recipe in ("w8a8-int", "w8a16-int"):
            library = tools.compile(path, tools.path(f"{number}-{recipe}.so"), "--calibration", samples, "--recipe",
                                    recipe, *dims)
            with Model(library) as compiled:
                totals, own = compiled.receipt["totals"], compiled.run(**feed)
            report.add("zoo", f"{name} {recipe}", "fallbacks", totals["fallbacks"], ("==", 0))
            report.add("zoo", f"{name} {recipe}", "int_macs/total_macs", totals["int_macs_share"], (">=", 0.95))
            report.add("zoo", f"{name} {recipe}", "SQNR dB", sqnr(wanted[largest], own[largest]))
