# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantized programs written back as ONNX: ONNX Runtime computes what it did before, and importing gives the same codes.

Each quantized form of the digits CNN that ONNX Runtime makes goes through q-translate --export-onnx-qdq, before and
after normalize; ONNX Runtime's plain kernels must give the original's outputs. What q-compile quantizes itself is
compared with the reference interpreter. Random graphs of one operator each do the same for every form of it.
"""

import argparse
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort

from evaluation import carried, digits
from evaluation.tools import Tools
from integration import qdq_graphs

IMAGES = 32
# A code in a thousand may lie next to a tie that floats round otherwise: enough outputs to tell one from many.
OWN_IMAGES = 500


def plain(path, feeds):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, feeds)[0]


def dump(tools, path, name):
    """File name -> bytes of the constants that --dump-codes writes."""
    folder = tools.path(name)
    tools.run("q-run", path, "--dump-codes", folder)
    return {file: open(os.path.join(folder, file), "rb").read() for file in sorted(os.listdir(folder))}


def export(tools, source, name):
    path = tools.path(name)
    tools.run("q-translate", "--export-onnx-qdq", source, "-o", path)
    onnx.checker.check_model(path, full_check=True)
    return path


class Check:
    def __init__(self):
        self.failed = 0

    def __call__(self, holds, what):
        if not holds:
            self.failed += 1
            print(f"FAILED {what}")


def difference(a, b):
    return float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64))))


def carried_models(check, tools, images):
    for case, path in carried.cases(tools, "digits", digits.MODEL, images[:64], short=False):
        want = [plain(path, {"image": x[None]}) for x in images[:IMAGES]]
        for phase in ("import", "normalize"):
            source = path if phase == "import" else tools.compile(path, tools.path("m.mlir"), f"--stop-after={phase}")
            back = export(tools, source, "back.onnx")
            got = [plain(back, {"image": x[None]}) for x in images[:IMAGES]]
            worst = max(difference(a, b) for a, b in zip(want, got))
            transposes = sum(n.op_type == "Transpose" for n in onnx.load(back).graph.node)
            print(f"{case}, after {phase}: largest difference {worst:g}, {transposes} transposes")
            check(worst == 0, f"{case} after {phase}: outputs differ by {worst:g}")
        first, second = dump(tools, path, "first"), dump(tools, export(tools, path, "again.onnx"), "second")
        check(first == second, f"{case}: {len(first)} constants became {len(second)} others")


def own_model(check, tools, images):
    np.savez(tools.path("calibration.npz"), image=images[:64])
    program = tools.compile(digits.MODEL, tools.path("own.mlir"), "--calibration", tools.path("calibration.npz"),
                            "--stop-after=quantize")
    back = export(tools, program, "own.onnx")
    np.savez(tools.path("data.npz"), image=images[:OWN_IMAGES])
    tools.run("q-run", "--interpret", program, "--data", tools.path("data.npz"), "--output-dir", tools.path("exact"))
    got = np.concatenate([plain(back, {"image": x[None]}) for x in images[:OWN_IMAGES]])
    want = np.load(os.path.join(tools.path("exact"), "logits.npy")).reshape(got.shape)
    equal = float(np.mean(want == got))
    print(f"digits quantized here: {100 * equal:.2f} % of outputs equal, largest difference {difference(want, got):g}")
    check(equal >= 0.999, f"only {100 * equal:.2f} % of the outputs equal the interpreter's")
    # Channels lie in another order in the file, so what is compared is which numbers there are.
    contents = []
    for path, name in ((program, "own"), (back, "own-again")):
        dump(tools, path, name)
        arrays = (np.load(os.path.join(tools.path(name), file)) for file in os.listdir(tools.path(name)))
        contents.append({(a.dtype.str, tuple(np.sort(a.ravel()))) for a in arrays if a.any()})
    check(contents[0] == contents[1], "codes changed on the way")
    print(f"{len(contents[0])} distinct constants")


def random_graphs(check, tools, count, random):
    for number in range(count):
        kind = qdq_graphs.KINDS[number % len(qdq_graphs.KINDS)]
        model, feeds, step = qdq_graphs.build(kind, random)
        path = tools.path("random.onnx")
        onnx.save(model, path)
        for phase in ("import", "normalize"):
            source = path if phase == "import" else tools.compile(path, tools.path("r.mlir"), f"--stop-after={phase}")
            want, got = plain(path, feeds), plain(export(tools, source, "random-back.onnx"), feeds)
            # A bias added behind its convolution is rounded apart: a tie may fall to the other side.
            steps = float(np.max(np.abs(want.astype(np.float64) - got) / step))
            share = float(np.mean(want == got))
            check(steps < 1.5 and share >= 0.98, f"{kind} {number} after {phase}: {steps:g} steps, {share:.3f} equal")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--count", type=int, default=18)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "little"))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    check, tools = Check(), Tools(args.build)
    images = np.load(digits.CALIBRATION)["image"].astype(np.float32)
    own_model(check, tools, images)
    carried_models(check, tools, images)
    random_graphs(check, tools, args.count, np.random.default_rng(args.seed))
    print(f"{check.failed} failures")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
