# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The suites gemm, conv, depthwise, elementwise and w4: layers on one thread (gemm and conv on two as well), beside ONNX
Runtime and OpenVINO on the same codes, and beside the peak that our own process measures.
"""

import numpy as np
import onnx

from evaluation.bench.contest import Team, paired_ratio
from evaluation.bench.layers import Convolution, Elements, NBits, Product, sample

# layer: goal of our share, on one thread, of the peak of the instruction that our kernel uses (of memory for one row)
GEMM = {Product(384, 768, 768, chain=4): 0.95, Product(384, 3072, 768, chain=2): 0.95,
        Product(128, 768, 768, chain=8): 0.95, Product(127, 513, 257, chain=8): 0.95,
        Product(1, 4096, 4096, chain=4): 0.9}
CONV = {Convolution(56, 64, 64, 3, chain=4): 0.94, Convolution(28, 128, 128, 3, chain=4): 0.94,
        Convolution(14, 256, 256, 3, chain=4): 0.94, Convolution(14, 1024, 256, 1, chain=4): 0.93,
        Convolution(14, 256, 256, 1, chain=8): 0.85, Convolution(56, 64, 64, 1, chain=8): 0.78,
        Convolution(224, 3, 64, 7, stride=2): 0.50}
DEPTHWISE = [Convolution(112, 32, 32, 3, groups=32, chain=4), Convolution(56, 144, 144, 3, groups=144, chain=4),
             Convolution(14, 576, 576, 3, groups=576, chain=8), Convolution(14, 240, 240, 5, groups=240, chain=8)]
ELEMENTS = {Elements("Add", (1, 256, 56, 56)): "u8", Elements("Sigmoid", (128, 3072)): "u8",
            Elements("SiLU", (1, 96, 56, 56)): "u8", Elements("Softmax", (12, 128, 128)): "f32",
            Elements("LayerNormalization", (128, 384)): "f32"}
NBITS = {NBits(1, 4096, 11008, 32): 0.9, NBits(1, 4096, 11008, 128): 0.9, NBits(128, 4096, 11008, 32): 0.70,
         NBits(128, 4096, 11008, 128): 0.70}
# layer: goal of its speed with weights of 4 bits over that with 8
PACKED = {Product(384, 768, 768): 0.9, Product(1, 4096, 4096): 1.6, Convolution(56, 64, 64, 3): 0.9,
          Convolution(56, 256, 64, 1): 0.9}
SIGNED = Product(384, 768, 768, chain=4)  # activations of either sign must be as fast
MEMORY = "memory read"


def chosen(bench, layers):
    """Every second layer with --quick."""
    return list(layers)[::2] if bench.quick else list(layers)


class Files:
    """A layer's ONNX models, our libraries and its inputs."""

    def __init__(self, bench, layer):
        self.bench, self.layer, self.made = bench, layer, {}

    def path(self, form, suffix):
        name = "".join(c if c.isalnum() else "-" for c in self.layer.name)
        return self.bench.tools.path(f"{name}-{form}{suffix}")

    def onnx(self, form):
        path = self.path(form, ".onnx")
        if path not in self.made:
            onnx.save(self.layer.model(form), path)
        return self.made.setdefault(path, path)

    def compiled(self, form):
        path = self.path(form, ".so")
        if path not in self.made:
            # MatMulNBits says itself what is quantized.
            recipe = ("--recipe=float",) if form == "f32" and not isinstance(self.layer, NBits) else ()
            self.bench.tools.compile(self.onnx(form), path, "--target-cpu=native", "--fail-on-fallback", *recipe)
        return self.made.setdefault(path, path)

    def feed(self, form):
        path = self.path(form, ".npz")
        inputs = getattr(self.layer, "inputs", ("x",))
        np.savez(path, **{name: sample(self.layer.shape, form) for name in inputs})
        return path

    def ours(self, form):
        return ("qdialect", self.compiled(form), self.feed(form))

    def peer(self, kind, form):
        return (kind, self.onnx(form), self.feed(form))

    def int8_team(self, form="u8"):
        """The three on the same codes."""
        return {"ours int8": self.ours(form), "ORT int8": self.peer("ort", form),
                "OpenVINO int8": self.peer("openvino", form)}


def instruction(bench, library):
    """What our kernel with the most work in a library multiplies with here; None where that has no peak."""
    from qdialect import Model

    with Model(library) as model:
        layer = max(model.receipt["layers"], key=lambda layer: layer["macs"])
        name = layer["instructions"][model.variant]
    return name if name in bench.peaks.units else None


def beside_peers(bench, suite, case, team, ours, rivals, goal=None):
    """Our speed over the fastest rival's: paired ratio and its bound, which must reach the goal."""
    rival = team.fastest(rivals)
    ratio, bound = paired_ratio(team[ours].rounds, team[rival].rounds)
    bench.report.add(suite, case, f"speed over {rival}", ratio)
    bench.report.add(suite, case, f"speed over {rival}, 95 % bound", bound, (">=", goal) if goal else None)


def rates(bench, suite, case, team, work, unit, intensity=None):
    """Work per second of each contestant; with an intensity (work per byte of memory) also points of the roofline."""
    for name, member in team.members.items():
        bench.report.add(suite, case, f"{name} {unit}", work / member.best / 1e9, None,
                         f"median {work / member.median / 1e9:.5g}")
        if intensity:
            bench.points.append({"suite": suite, "case": case, "who": name, "threads": member.threads,
                                 "intensity": intensity, "rate": work / member.best / 1e9})


def share(bench, suite, case, member, work, peak, goal):
    """Our share of a peak, both measured by our process."""
    if peak:
        bench.report.add(suite, case, f"share of {peak}", work / member.best / 1e9 / member.rates[peak],
                         (">=", goal) if goal else None, f"{member.rates[peak]:.5g} {bench.peaks.units[peak]}")


def traffic(layer):
    """Bytes of the weights and of every layer's input and output, codes of one byte."""
    first = np.prod(layer.shape)
    if isinstance(layer, Convolution):
        last = layer.out**2 * layer.outputs
    else:
        last = layer.rows * layer.channels
    return float(layer.weights + layer.chain * (first + last))


def dot_products(bench, suite, layers):
    """Products and convolutions. One row times a matrix is bound by memory, all else by arithmetic."""
    for layer in chosen(bench, layers):
        files = Files(bench, layer)
        is_row = layer.shape[0] == 1 and isinstance(layer, Product)
        peak = MEMORY if is_row else instruction(bench, files.compiled("u8"))
        work = layer.weights if is_row else layer.macs
        for threads in bench.threads:
            case = f"{layer.name} {threads} thread"
            with Team(bench, files.int8_team(), threads) as team:
                team.compete([peak] if peak else [])
                rates(bench, suite, case, team, layer.macs, "GMAC/s", layer.macs / traffic(layer))
                share(bench, suite, case, team["ours int8"], work, peak, layers[layer] if threads == 1 else None)
                beside_peers(bench, suite, case, team, "ours int8", ("ORT int8", "OpenVINO int8"))


def gemm(bench):
    dot_products(bench, "gemm", GEMM)
    signed = Files(bench, SIGNED)
    with Team(bench, {form: signed.ours(form) for form in ("u8", "s8")}, 1) as team:
        team.compete()
        ratio, _ = paired_ratio(team["s8"].rounds, team["u8"].rounds)
        bench.report.add("gemm", f"{SIGNED.name} 1 thread", "speed of s8 over u8", ratio, (">=", 0.97))


def conv(bench):
    dot_products(bench, "conv", CONV)


def depthwise(bench):
    for layer in chosen(bench, DEPTHWISE):
        files, case = Files(bench, layer), f"{layer.name} 1 thread"
        floats = {"ORT fp32": files.peer("ort", "f32"), "OpenVINO fp32": files.peer("openvino-f32", "f32")}
        with Team(bench, files.int8_team() | floats, 1) as team:
            team.compete()
            rates(bench, "depthwise", case, team, layer.macs, "GMAC/s", layer.macs / traffic(layer))
            for name, goal in (("ORT int8", 3.0), ("ORT fp32", 1.6), ("OpenVINO int8", None)):
                beside_peers(bench, "depthwise", case, team, "ours int8", (name,), goal)


def elementwise(bench):
    for layer in chosen(bench, ELEMENTS):
        files, form = Files(bench, layer), ELEMENTS[layer]
        entries = {"ours": files.ours(form), "ORT": files.peer("ort", form),
                   "OpenVINO": files.peer("openvino-f32", form)}
        with Team(bench, entries, 1) as team:
            team.compete()
            case = f"{layer.name} {form} 1 thread"
            rates(bench, "elementwise", case, team, layer.bytes(form), "GB/s")
            beside_peers(bench, "elementwise", case, team, "ours", ("ORT", "OpenVINO"))


def w4(bench):
    """MatMulNBits, and integer layers with packed weights beside the same ones with whole bytes."""
    for layer in chosen(bench, NBITS):
        files, case = Files(bench, layer), f"{layer.name} 1 thread"
        is_row = layer.rows == 1
        peak = MEMORY if is_row else instruction(bench, files.compiled("f32"))
        with Team(bench, files.int8_team("f32"), 1) as team:
            team.compete([peak] if peak else [])
            rates(bench, "w4", case, team, layer.macs, "GMAC/s", layer.macs / layer.weight_bytes)
            share(bench, "w4", case, team["ours int8"], layer.weight_bytes if is_row else layer.macs, peak, NBITS[layer])
            beside_peers(bench, "w4", case, team, "ours int8", ("ORT int8", "OpenVINO int8"))
    for layer in chosen(bench, PACKED):
        files = Files(bench, layer)
        with Team(bench, {form: files.ours(form) for form in ("w4", "u8")}, 1) as team:
            team.compete()
            ratio, bound = paired_ratio(team["w4"].rounds, team["u8"].rounds)
            bench.report.add("w4", f"{layer.name} packed 1 thread", "speed over 8 bits", ratio, (">=", PACKED[layer]),
                             f"95 % bound {bound:.3f}")
