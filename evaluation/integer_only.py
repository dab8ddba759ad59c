# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The recipe integer-only: no float in IR or machine code, bit-equal to the interpreter, accuracy and speed beside the
float-rescale build, every scheme of non-linearities; a ResNet-50 topology with random weights. --quick: digits alone."""

import os
import time

import numpy as np

from evaluation import assembly, digits, magika, minilm, peers
from evaluation.digits import interpret_results
from evaluation.report import cosine, sqnr
from evaluation.tools import ROOT, variants_here
from evaluation.topologies import interpret
from models import build, photographs, topologies
from models import magika as magika_model
from models import minilm as minilm_model

SCHEMES = ("qd", "ibert", "ivit")
CROPS = 512
# How many samples the interpreter runs, too.
SENTENCES_INTERPRETED = 50
PHOTOGRAPHS_INTERPRETED = 20


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


def milliseconds(libraries, inputs, variant, threads, repeats=40):
    """The least time of one call of each; calls alternate, so that other load falls on all of them alike."""
    from qdialect import Model

    models = [Model(so, threads=threads, variant=variant) for so in libraries]
    least = [float("inf")] * len(models)
    for _ in range(repeats):
        for i, model in enumerate(models):
            start = time.perf_counter()
            model.run(**inputs)
            least[i] = min(least[i], (time.perf_counter() - start) * 1e3)
    for model in models:
        model.close()
    return least


def add_speed(report, case, base, so, inputs, goal):
    """On the two best variants here: the faster the products, the more of a layer is its rescaling."""
    for variant in variants_here(so)[:2]:
        for threads in (1, 2):
            base_ms, ms = milliseconds([base, so], inputs, variant, threads)
            report.add("integer-only", case, f"{variant}, {threads} thread: speed beside w8a8-int", base_ms / ms,
                       (">=", goal) if goal else None, f"{ms:.2f} ms, {base_ms:.2f} ms")


def check_binary(report, case, so, receipt):
    """What the receipt says, and the machine code."""
    report.add("integer-only", case, "receipt says integer-only", int(receipt["integer_only"]), ("==", 1))
    report.add("integer-only", case, "fallbacks", receipt["totals"]["fallbacks"], ("==", 0))
    bad, read, missing = assembly.float_instructions(so, receipt)
    report.add("integer-only", case, "kernels read", len(read), (">=", 1))
    report.add("integer-only", case, "kernels not found", len(missing), ("==", 0), " ".join(sorted(missing)[:3]))
    for name, mnemonics in list(bad.items())[:5]:
        print(f"integer-only: {name}: {' '.join(mnemonics)}")
    report.add("integer-only", case, "kernels with float instructions", len(bad), ("==", 0), f"of {len(read)}")


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
        count = SENTENCES_INTERPRETED if scheme == "qd" else 2
        some = {name: values[:count] for name, values in inputs.items()}
        interpreted = interpret_results(tools, program, some, f"interpreted-{scheme}", "last_hidden_state")
        report.add("integer-only", case, "unequal outputs to the interpreter",
                   int(np.sum(hidden[:count] != interpreted.reshape(hidden[:count].shape))), ("==", 0),
                   f"{count} sentences")
        add_speed(report, case, base, so, row, 0.95 if scheme == "qd" else None)


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
    quality, libraries = {}, []
    for name in ("w8a8-int", "integer-only"):
        so = tools.compile(model, tools.path(f"efficientnet-{name}.so"), "--calibration", data, "--recipe", name,
                           "--fail-on-fallback")
        with Model(so, threads=2) as m:
            receipt = m.receipt
            logits = np.concatenate([m.run(image=x[None])["logits"] for x in crops])
        quality[name] = sqnr(reference, logits)
        libraries.append(so)
    check_binary(report, "efficientnet-lite0", so, receipt)
    program = tools.compile(model, tools.path("efficientnet.mlirbc"), "--calibration", data, "--recipe", "integer-only",
                            "--stop-after=integerize")
    count = PHOTOGRAPHS_INTERPRETED
    interpreted = digits.interpret(tools, program, crops[:count], "interpreted-efficientnet")
    report.add("integer-only", "efficientnet-lite0", "unequal logits to the interpreter",
               int(np.sum(logits[:count] != interpreted)), ("==", 0), f"{count} photographs")
    report.add("integer-only", "efficientnet-lite0", "logits SQNR dB", quality["integer-only"],
               (">=", round(quality["w8a8-int"] - 0.5, 3)), f"w8a8-int {quality['w8a8-int']:.2f}")
    add_speed(report, "efficientnet-lite0", *libraries, {"image": crops[:1]}, 0.85)


def evaluate_resnet50(report, tools):
    from qdialect import Model

    model = tools.path("resnet50.onnx")
    key, shape = topologies.build("resnet50", model)
    rng = np.random.default_rng(1)
    calibration = tools.path("resnet50.npz")
    np.savez(calibration, **{key: rng.standard_normal([4, *shape]).astype(np.float32)})
    image = {key: rng.standard_normal(shape).astype(np.float32)}
    (wanted,) = peers.session(model, threads=2).run(None, image)
    quality, libraries = {}, []
    for name in ("w8a8-int", "integer-only"):
        program = tools.compile(model, tools.path(f"resnet50-{name}.mlirbc"), "--calibration", calibration, "--recipe",
                                name, "--stop-after=integerize")
        so = tools.compile(program, tools.path(f"resnet50-{name}.so"))
        with Model(so, threads=2) as m:
            receipt = m.receipt
            (logits,) = m.run(**image).values()
        quality[name] = sqnr(wanted, logits)
        libraries.append(so)
    check_binary(report, "resnet50", so, receipt)
    report.add("integer-only", "resnet50", "unequal logits to the interpreter",
               int(np.sum(logits != interpret(tools, program, image[key], key, "resnet50"))), ("==", 0))
    report.add("integer-only", "resnet50", "logits SQNR dB", quality["integer-only"],
               (">=", round(quality["w8a8-int"] - 0.5, 3)), f"w8a8-int {quality['w8a8-int']:.2f}")
    add_speed(report, "resnet50", *libraries, image, 0.95)


def evaluate(report, tools):
    evaluate_digits(report, tools)
    if tools.quick:
        return
    evaluate_minilm(report, tools)
    evaluate_magika(report, tools)
    evaluate_efficientnet(report, tools)
    evaluate_resnet50(report, tools)
