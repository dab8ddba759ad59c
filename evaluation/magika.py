# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""magika on files of this machine: the float library against ONNX Runtime, decisions of w8a8-int against float."""

import os

import numpy as np

from evaluation import peers
from evaluation.digits import interpret_results
from models import build, magika

CALIBRATION, FILES = 64, 1000
OUTPUT = "target_label"


def run_so(so, inputs):
    from qdialect import Model

    with Model(so, threads=2) as m:
        return np.concatenate([m.run(bytes=x[None])[OUTPUT] for x in inputs]), m.receipt


def evaluate(report, tools):
    model = build.cached("magika")
    dim = ("--dim", "unk__214=1")
    everything = magika.inputs(magika.files(CALIBRATION + FILES))
    calibration, inputs = everything[:CALIBRATION], everything[CALIBRATION:]
    data = tools.path("files.npz")
    np.savez(data, bytes=calibration)
    reference = peers.run_all(model, "bytes", inputs)

    so = tools.compile(model, tools.path("magika-float.so"), *dim, "--recipe", "float")
    own, _ = run_so(so, inputs)
    report.add("magika", "float", "max |difference| to ONNX Runtime", float(np.abs(own - reference).max()),
               ("<=", 1e-4))
    common = (*dim, "--calibration", data, "--recipe", "w8a8-int", "--fail-on-fallback")
    so = tools.compile(model, tools.path("magika.so"), *common)
    scores, receipt = run_so(so, inputs)
    same = float(np.mean(np.argmax(scores, -1) == np.argmax(reference, -1)) * 100)
    report.add("magika", "w8a8-int", f"decisions of {len(inputs)} files %", same, (">=", 99))
    totals = receipt["totals"]
    report.add("magika", "w8a8-int", "int_macs/total_macs", totals["int_macs"] / totals["total_macs"], (">=", 0.95))
    report.add("magika", "w8a8-int", "fallbacks", totals["fallbacks"], ("==", 0))
    report.add("magika", "w8a8-int", "layers without a kernel of their own",
               sum(layer["kernel"] == "generic" for layer in receipt["layers"]), ("==", 0))
    report.add("magika", "w8a8-int", "file MB", os.path.getsize(so) / 1e6, None,
               f"float ONNX {os.path.getsize(model) / 1e6:.1f}")
    program = tools.compile(model, tools.path("magika.mlir"), *common, "--stop-after=integerize")
    expected = interpret_results(tools, program, {"bytes": inputs[:2]}, "interpreted", OUTPUT)
    report.add("magika", "w8a8-int", "unequal outputs to the interpreter",
               int(np.sum(scores[:2] != expected.reshape(scores[:2].shape))), ("==", 0))
