# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nine published CNNs as their exporters wrote them: float equal to ONNX Runtime, int8 without fallback and equal to the
interpreter. Their weights are random, so the SQNR says how the arithmetic behaves, not what the network knows."""

import os

import numpy as np

from evaluation import peers
from evaluation.report import sqnr
from models import topologies


def interpret(tools, program, x, key, name):
    data, folder = tools.path("x.npz"), tools.path(f"{name}-interpreted")
    np.savez(data, **{key: x})
    tools.run("q-run", "--interpret", program, "--input", data, "--output-dir", folder)
    (output,) = os.listdir(folder)
    return np.load(os.path.join(folder, output))


def evaluate(report, tools):
    from qdialect import Model

    for name in topologies.NAMES:
        model = tools.path(f"{name}.onnx")
        key, shape = topologies.build(name, model)
        rng = np.random.default_rng(1)
        calibration = tools.path(f"{name}.npz")
        np.savez(calibration, **{key: rng.standard_normal([8, *shape]).astype(np.float32)})
        x = rng.standard_normal(shape).astype(np.float32)
        (wanted,) = peers.session(model, threads=2).run(None, {key: x})
        so = tools.compile(model, tools.path(f"{name}-f32.so"), "--recipe", "float")
        with Model(so) as m:
            (own,) = m.run(**{key: x}).values()
        report.add("topologies", f"{name} float", "relative difference to ONNX Runtime",
                   float(np.abs(own - wanted).max() / np.abs(wanted).max()), ("<=", 1e-4))
        common = ("--calibration", calibration, "--recipe", "w8a8-int")
        program = tools.compile(model, tools.path(f"{name}.mlirbc"), *common, "--stop-after=integerize")
        so = tools.compile(program, tools.path(f"{name}-int8.so"))
        with Model(so) as m:
            totals = m.receipt["totals"]
            (own,) = m.run(**{key: x}).values()
        case = f"{name} w8a8-int"
        report.add("topologies", case, "fallbacks", totals["fallbacks"], ("==", 0))
        report.add("topologies", case, "int_macs/total_macs", totals["int_macs_share"], (">=", 0.98))
        report.add("topologies", case, "unequal to the interpreter",
                   int(np.sum(own != interpret(tools, program, x, key, name))), ("==", 0))
        report.add("topologies", case, "SQNR dB", sqnr(wanted, own))
        for extension in ("-f32.so", "-int8.so", ".onnx", ".npz", ".mlirbc"):
            os.remove(tools.path(name + extension))
