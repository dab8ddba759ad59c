# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The digits CNN: accuracy of float and int8, the integer program bit-equal on every road, and its agreement with the
exact meaning of the quantized program that it was made from."""

import os

import numpy as np

from evaluation import tools as project

FOLDER = os.path.join(project.ROOT, "models", "digits")
MODEL = os.path.join(FOLDER, "digits.onnx")
CALIBRATION = os.path.join(FOLDER, "calibration.npz")


def test_set():
    data = np.load(os.path.join(FOLDER, "test.npz"))
    return data["image"].astype(np.float32) / 255, data["label"]


def run_so(so, images, threads=1, variant=None):
    from qdialect import Model

    with Model(so, threads=threads, variant=variant) as m:
        return np.concatenate([m.run(image=x[None])["logits"] for x in images])


def interpret_results(tools, program, inputs, name, output, *args):
    """One output of the interpreter for samples stacked by input name."""
    data = tools.path(f"{name}.npz")
    np.savez(data, **inputs)
    folder = tools.path(name)
    tools.run("q-run", "--interpret", program, "--data", data, "--output-dir", folder, *args)
    return np.load(os.path.join(folder, f"{output}.npy"))


def interpret(tools, program, images, name, *args):
    return interpret_results(tools, program, {"image": images}, name, "logits", *args).reshape(len(images), -1)


def compare_exact_islands(report, tools, case, common, mode, images, reference):
    """The program before integerize, its islands evaluated exactly and rounded once (PhaseContract section 4), against
    the integer program. A code may differ by one step where the stated error reaches a rounding boundary; what follows
    it then sees another input, so the whole model is held to its logits."""
    program = tools.compile(MODEL, tools.path(f"digits-{case}-qdq.mlir"), *common, mode, "--stop-after=quantize")
    # Islands are evaluated in f64, the last dequantize with them.
    exact = interpret(tools, program, images, f"exact-{case}", "--exact-islands").astype(np.float32)
    distinct = np.unique(np.concatenate([exact, reference]))
    step = np.diff(distinct).min()
    report.add("digits", case, "logits equal to exact islands %", float(np.mean(exact == reference) * 100), (">=", 99))
    report.add("digits", case, "steps from exact islands", int(np.rint(np.abs(exact - reference).max() / step)),
               ("<=", 1))


def evaluate(report, tools):
    images, labels = test_set()

    def accuracy(logits):
        return float(np.mean(np.argmax(logits, -1) == labels) * 100)

    float_so = tools.compile(MODEL, tools.path("digits-f32.so"), "--recipe", "float")
    own = run_so(float_so, images)
    base = accuracy(own)
    report.add("digits", "float", "accuracy %", base)
    if tools.peers:
        from evaluation import peers

        theirs = peers.run_all(MODEL, "image", images)
        report.add("digits", "ONNX Runtime float", "accuracy %", accuracy(theirs))
        report.add("digits", "float", "max |difference| to ONNX Runtime", float(np.abs(own - theirs).max()),
                   ("<=", 1e-4))
    common = ("--calibration", CALIBRATION, "--recipe", "w8a8-int", "--fail-on-fallback",
              "--target-cpu=sapphirerapids,znver4,haswell,x86-64")
    for rescale in ("float", "dyadic"):
        case = f"w8a8-int {rescale}"
        mode = f"--rescale={rescale}"
        program = tools.compile(MODEL, tools.path(f"digits-{rescale}.mlir"), *common, mode, "--stop-after=integerize")
        reference = interpret(tools, program, images, f"interpreted-{rescale}")
        report.add("digits", case, "accuracy %", accuracy(reference), (">=", round(base - 0.3, 4)))
        compare_exact_islands(report, tools, case, common, mode, images, reference)
        so = tools.compile(MODEL, tools.path(f"digits-{rescale}.so"), *common, mode)
        generic = tools.compile(MODEL, tools.path(f"digits-{rescale}-generic.so"), *common, mode, "--kernels=generic")
        for variant in project.variants_here(so):
            for threads in (1, 2):
                unequal = int(np.sum(run_so(so, images, threads, variant) != reference))
                report.add("digits", case, f"unequal logits {variant} {threads} thread", unequal, ("==", 0))
        report.add("digits", case, "unequal logits generic lowering", int(np.sum(run_so(generic, images) != reference)),
                   ("==", 0))
        report.add("digits", case, "file kB", os.path.getsize(so) / 1e3, None,
                   f"float ONNX {os.path.getsize(MODEL) / 1e3:.0f}")
