# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The recipe integer-only: no float in IR or machine code, bit-equal to the interpreter, accuracy and speed beside the
float-rescale build, every scheme of non-linearities. --quick: digits alone."""

import os

import numpy as np

from evaluation import assembly, digits, magika, minilm, peers
from evaluation.digits import interpret_results
from evaluation.report import cosine, sqnr
from evaluation.tools import ROOT
from models import build, photographs
from models import magika as magika_model
from models import minilm as minilm_model

SCHEMES = ("qd", "ibert", "ivit")
CROPS = 128


def recipe(tools, scheme):
    """The built-in recipe with another scheme."""
    if scheme == "qd":
        return "integer-only"
    with open(os.path.join(ROOT, "recipes", "integer-only.yaml"), encoding="utf-8") as f:
        text = f.read()
    assert "{scheme: qd," in text
    path = tools.path(f"integer-only-{scheme}.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("{scheme: qd,", f"{{scheme: {scheme},"))
    return path


def check_binary(report, case, so, receipt):
    """What the receipt says, and the machine code."""
    report.add("integer-only", case, "receipt says integer-only", int(receipt["integer_only"]), ("==", 1))
    report.add("integer-only", case, "fallbacks", receipt["totals"]["fallbacks"], ("==", 0))
    bad, read = assembly.float_instructions(so, receipt)
    for name, mnemonics in list(bad.items())[:5]:
        print(f"integer-only: {name}: {' '.join(mnemonics)}")
    report.add("integer-only", case, "kernels with float instructions", len(bad), ("==", 0), f"of {read}")


def evaluate_digits(report, tools):
    from qdialect import Model

    images, labels = digits.test_set()
    logits = {}
    for name in ("w8a8-int", "integer-only"):
        so = tools.compile(digits.MODEL, tools.path(f"digits-{name}.so"), "--calibration", digits.CALIBRATION, "--recipe",
                           name, "--fail-on-fallback")
        logits[name] = digits.run_so(so, images)
    with Model(so) as m:
        receipt = m.receipt
    check_binary(report, "digits", so, receipt)
    program = tools.compile(digits.MODEL, tools.path("digits.mlir"), "--calibration", digits.CALIBRATION, "--recipe",
                            "integer-only", "--stop-after=integerize")
    reference = digits.interpret(tools, program, images, "interpreted-digits")
    report.add("integer-only", "digits", "unequal logits to the interpreter",
               int(np.sum(logits["integer-only"] != reference)), ("==", 0))

    def accuracy(name):
        return float(np.mean(np.argmax(logits[name], -1) == labels) * 100)

    base = accuracy("w8a8-int")
    report.add("integer-only", "digits", "accuracy %", accuracy("integer-only"), (">=", round(base - 0.3, 4)),
               f"w8a8-int {base:.2f}")


def evaluate_minilm(report, tools):
    model = build.cached("minilm")
    texts = minilm_model.sentences()
    calibration = minilm_model.encode_full(texts[:minilm.CALIBRATION])
    inputs = minilm_model.encode(texts[minilm.CALIBRATION:minilm.CALIBRATION + minilm.SENTENCES])
    data = tools.path("sentences.npz")
    np.savez(data, **calibration)
    _, reference = minilm.embed_ort(model, inputs)
    row = next(minilm.rows(inputs))
    base = tools.compile(model, tools.path("minilm-w8a8.so"), "--calibration", data, "--recipe", "w8a8-int")
    base_ms = minilm.milliseconds(base, row)
    few = {name: values[:2] for name, values in inputs.items()}
    for scheme in SCHEMES:
        case = f"minilm {scheme}"
        common = ("--calibration", data, "--recipe", recipe(tools, scheme), "--fail-on-fallback")
        so = tools.compile(model, tools.path(f"minilm-{scheme}.so"), *common)
        hidden, pooled, receipt = minilm.embed(so, inputs)
        report.add("integer-only", case, "mean cosine to float", cosine(reference, pooled),
                   (">=", 0.98) if scheme == "qd" else None)
        check_binary(report, case, so, receipt)
        report.add("integer-only", case, "layers without a kernel of their own",
                   sum(layer["kernel"] == "generic" for layer in receipt["layers"]), ("==", 0))
        program = tools.compile(model, tools.path(f"minilm-{scheme}.mlir"), *common, "--stop-after=integerize")
        interpreted = interpret_results(tools, program, few, f"interpreted-{scheme}", "last_hidden_state")
        report.add("integer-only", case, "unequal outputs to the interpreter",
                   int(np.sum(hidden[:2] != interpreted.reshape(hidden[:2].shape))), ("==", 0))
        ms = minilm.milliseconds(so, row)
        report.add("integer-only", case, "speed beside w8a8-int", base_ms / ms, None, f"{ms:.1f} ms, {base_ms:.1f} ms")


def evaluate_magika(report, tools):
    model = build.cached("magika")
    everything = magika_model.inputs(magika_model.files(magika.CALIBRATION + magika.FILES))
    calibration, inputs = everything[:magika.CALIBRATION], everything[magika.CALIBRATION:]
    data = tools.path("files.npz")
    np.savez(data, bytes=calibration)
    reference = peers.run_all(model, "bytes", inputs)
    so = tools.compile(model, tools.path("magika.so"), "--dim", "unk__214=1", "--calibration", data, "--recipe",
                       "integer-only", "--fail-on-fallback")
    scores, receipt = magika.run_so(so, inputs)
    check_binary(report, "magika", so, receipt)
    same = float(np.mean(np.argmax(scores, -1) == np.argmax(reference, -1)) * 100)
    report.add("integer-only", "magika", f"decisions of {len(inputs)} files %", same, (">=", 98))


def evaluate_efficientnet(report, tools):
    from qdialect import Model

    model = build.cached("efficientnet-lite0")
    calibration, crops = photographs.calibration(), photographs.evaluation(CROPS)
    data = tools.path("photographs.npz")
    np.savez(data, image=calibration)
    reference = peers.run_all(model, "image", crops)
    quality, ms = {}, {}
    for name in ("w8a8-int", "integer-only"):
        so = tools.compile(model, tools.path(f"efficientnet-{name}.so"), "--calibration", data, "--recipe", name,
                           "--fail-on-fallback")
        with Model(so, threads=2) as m:
            receipt = m.receipt
            quality[name] = sqnr(reference, np.concatenate([m.run(image=x[None])["logits"] for x in crops]))
        ms[name] = minilm.milliseconds(so, {"image": crops[:1]})
    check_binary(report, "efficientnet-lite0", so, receipt)
    report.add("integer-only", "efficientnet-lite0", "logits SQNR dB", quality["integer-only"],
               (">=", round(quality["w8a8-int"] - 0.5, 3)), f"w8a8-int {quality['w8a8-int']:.2f}")
    report.add("integer-only", "efficientnet-lite0", "speed beside w8a8-int", ms["w8a8-int"] / ms["integer-only"], None,
               f"{ms['integer-only']:.1f} ms, {ms['w8a8-int']:.1f} ms")


def evaluate(report, tools):
    evaluate_digits(report, tools)
    if tools.quick:
        return
    evaluate_minilm(report, tools)
    evaluate_magika(report, tools)
    evaluate_efficientnet(report, tools)
