# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Passes that scale and shift channels on random networks, each a product, a bias, a relu and a product, in every form
that a product may have, and a norm in front of one. Each network is calibrated; the interpreter runs it before and after
the pass, which must leave its outputs as they are (largest error over largest value at most 1e-5), and quantized, which
must lose less where a channel was planted that is 20 times as large as the others, or one with a large bias.

  python -m integration.channel_scales [--seed N]
"""

import argparse
import sys

import numpy as np
import onnx

from evaluation.report import sqnr
from evaluation.tools import Tools
from integration.rewrite_models import Writer
from models.onnx_graph import info

INPUTS, CHANNELS, OUTPUTS, SAMPLES = 12, 128, 6, 16
RECIPE = """name: scales
activations: {{format: u8, granularity: tensor, symmetric: false, estimator: minmax}}
weights: {{format: {weights}, granularity: channel, symmetric: true, estimator: minmax}}
{keys}"""
# Name, format of weights, what is planted, least gain in dB. Corrected biases change the float program.
PASSES = [
    ("qd-smooth-activations", "s8", "channel", 3),
    ("qd-equalize-log", "s8", "channel", 3),
    ("qd-clip-percentile", "s8", "channel", 3),
    ("qd-awq", "s4", "channel", 0.5),
    ("qd-smooth-search", "s8", "channel", 3),
    ("qd-absorb-bias", "s8", "bias", 3),
    ("qd-correct-bias", "s4", "bias", 0.5),
    ("qd-correct-bias on samples", "s4", "bias", 0.5),
]


class Form:
    """A way to write the product of an activation and a constant, as text. `rows`: the dimensions of the activation but for
    its channels, which lie at `channel`."""

    def __init__(self, name, rows, weight, product, channel=-1):
        self.name, self.rows, self.weight, self.product = name, rows, weight, product
        self.channel = channel % (len(rows) + 1)

    def activation(self, channels):
        return (*self.rows[:self.channel], channels, *self.rows[self.channel:])


def contraction(op, activation, weight, result, iterators=None):
    """An op with the indexing maps of these letters."""
    loops = [loop for loop in "bmnk" if loop in activation + weight]
    maps = ", ".join(f"affine_map<({', '.join(loops)}) -> ({', '.join(letters)})>"
                     for letters in (activation, weight, result))
    if not iterators:
        return f"linalg.{op} indexing_maps = [{maps}]", ""
    kinds = ", ".join('"reduction"' if loop not in result else '"parallel"' for loop in loops)
    body = """ {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }"""
    return f"linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}", body


FORMS = [
    Form("matmul", (4,), lambda w: w, ("linalg.matmul", "")),
    Form("transposed matmul", (4,), lambda w: w.T, contraction("matmul", "mk", "nk", "mn")),
    Form("batched matmul", (2, 4), lambda w: np.stack([w, w]), ("linalg.batch_matmul", "")),
    Form("contract", (2, 4), lambda w: w.T, contraction("contract", "bmk", "nk", "bmn")),
    Form("generic", (4,), lambda w: w.T, contraction("generic", "mk", "nk", "mn", iterators=True)),
    Form("NHWC convolution", (1, 3, 3), lambda w: w[None, None], ("linalg.conv_2d_nhwc_hwcf", "")),
    Form("NCHW convolution", (1, 3, 3), lambda w: w.T[:, :, None, None], ("linalg.conv_2d_nchw_fchw", ""), channel=1),
]


def tensor(shape):
    return f"tensor<{'x'.join(map(str, shape))}xf32>"


class Program:
    """A function as text, its constants as resources."""

    def __init__(self):
        self.lines, self.constants = [], {}

    def constant(self, values):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(values, np.float32)
        self.lines.append(f"%{name} = arith.constant dense_resource<{name}> : {tensor(values.shape)}")
        return f"%{name}"

    def result(self, text):
        self.lines.append(f"%v{len(self.lines)} = {text}")
        return f"%v{len(self.lines) - 1}"

    def product(self, form, x, inputs, w):
        weight = form.weight(w)
        out = tensor(form.activation(w.shape[1]))
        op, body = form.product
        given = self.constant(weight)
        empty = self.result(f"tensor.empty() : {out}")
        init = self.result(f"linalg.fill ins(%zero : f32) outs({empty} : {out}) -> {out}")
        return self.result(f"{op} ins({x}, {given} : {tensor(form.activation(inputs))}, {tensor(weight.shape)}) "
                           f"outs({init} : {out}){body} -> {out}")

    def elementwise(self, form, x, channels, code, bias=None):
        rank = len(form.rows) + 1
        loops = [f"d{i}" for i in range(rank)]
        identity = f"affine_map<({', '.join(loops)}) -> ({', '.join(loops)})>"
        maps, ins, types, arguments = [identity], x, tensor(form.activation(channels)), "%a: f32"
        if bias is not None:
            maps.append(f"affine_map<({', '.join(loops)}) -> ({loops[form.channel]})>")
            ins, types, arguments = f"{x}, {self.constant(bias)}", f"{types}, {tensor(bias.shape)}", "%a: f32, %b: f32"
        out = tensor(form.activation(channels))
        empty = self.result(f"tensor.empty() : {out}")
        maps, kinds = ", ".join([*maps, identity]), ", ".join(['"parallel"'] * rank)
        return self.result(f"""linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}
      ins({ins} : {types}) outs({empty} : {out}) {{
  ^bb0({arguments}, %o: f32):
    %e = {code} : f32
    linalg.yield %e : f32
  }} -> {out}""")

    def write(self, path, inputs, result, outputs):
        blobs = ",\n".join(f'      {name}: "0x04000000{values.tobytes().hex().upper()}"'
                           for name, values in self.constants.items())
        body = "\n  ".join(self.lines)
        with open(path, "w") as f:
            f.write(f"""func.func @main(%x: {tensor(inputs)} {{qd.name = "x"}}) -> ({tensor(outputs)} {{qd.name = "y"}}) {{
  %zero = arith.constant 0.0 : f32
  {body}
  return {result} : {tensor(outputs)}
}}
{{-#
  dialect_resources: {{
    builtin: {{
{blobs}
    }}
  }}
#-}}
""")


def weights(random, planted):
    """Of the two products, and their biases: one channel between them is 20 times as large as the others, what reads it 20
    times as small; or one is never below 20."""
    w1 = random.standard_normal((INPUTS, CHANNELS)) / np.sqrt(INPUTS)
    b1 = random.standard_normal(CHANNELS) * 0.3
    w2 = random.standard_normal((CHANNELS, OUTPUTS)) / np.sqrt(CHANNELS)
    which = random.integers(CHANNELS)
    if planted == "bias":
        b1[which] += 24
    else:
        w1[:, which] *= 20
        b1[which] *= 20
        w2[which] /= 20
    return [a.astype(np.float32) for a in (w1, b1, w2, random.standard_normal(OUTPUTS))]


def hand_written(form, path, random, planted):
    w1, b1, w2, b2 = weights(random, planted)
    p = Program()
    h = p.elementwise(form, p.product(form, "%x", INPUTS, w1), CHANNELS, "arith.addf %a, %b", b1)
    h = p.elementwise(form, h, CHANNELS, "arith.maximumf %a, %zero")
    y = p.elementwise(form, p.product(form, h, CHANNELS, w2), OUTPUTS, "arith.addf %a, %b", b2)
    p.write(path, form.activation(INPUTS), y, form.activation(OUTPUTS))
    return form.activation(INPUTS)


def behind_a_norm(path, random, planted):
    """What makes the channels is no product, and takes their factors as it is rounded."""
    _, _, w2, _ = weights(random, planted)
    gain = random.uniform(0.5, 1.5, CHANNELS).astype(np.float32)
    which = random.integers(CHANNELS)
    gain[which] *= 20
    w2[which] /= 20
    p, form = Program(), FORMS[0]
    kind = tensor(form.activation(CHANNELS))
    h = p.result(f"qd.layer_norm %x, {p.constant(gain)} axis = 1 epsilon = 1.0e-5 : {kind}, {tensor(gain.shape)}")
    p.write(path, form.activation(CHANNELS), p.product(form, h, CHANNELS, w2), form.activation(OUTPUTS))
    return form.activation(CHANNELS)


def imported(kind, path, random, planted):
    w1, b1, w2, b2 = weights(random, planted)
    g = Writer(0)
    if kind == "ONNX Conv":
        shape = (1, INPUTS, 3, 3)
        h = g.node("Relu", g.node("Conv", "x", g.value(w1.T[:, :, None, None]), g.value(b1)))
        y = g.node("Conv", h, g.value(w2.T[:, :, None, None]), g.value(b2))
    else:
        shape = (2, 4, INPUTS)
        h = g.node("Relu", g.node("Add", g.node("MatMul", "x", g.value(w1)), g.value(b1)))
        y = g.node("Add", g.node("MatMul", h, g.value(w2)), g.value(b2))
    g.nodes.append(onnx.helper.make_node("Identity", [y], ["y"]))
    g.save([info("x", onnx.TensorProto.FLOAT, list(shape))], [info("y", onnx.TensorProto.FLOAT, None)], "net", path)
    return shape


class Case:
    """One network, calibrated, its samples and what it computes of them."""

    def __init__(self, tools, name, make, random):
        self.tools, self.name = tools, name.replace(" ", "-")
        source = self.path("onnx" if "ONNX" in name else "source.mlir")
        shape = make(source)
        self.samples = self.path("npz")
        np.savez(self.samples, x=random.standard_normal((SAMPLES, *shape)).astype(np.float32))
        self.program, self.statistics = self.path("mlir"), self.path("stats.json")
        tools.compile(source, self.program, "--recipe", self.recipe("s8"), "--calibration", self.samples, "--statistics",
                      self.statistics, "--stop-after", "calibrate")
        self.outputs = self.run(self.program)
        self.loss = {}

    def path(self, end):
        return self.tools.path(f"{self.name}.{end}")

    def recipe(self, weights):
        path = self.tools.path(f"{weights}.yaml")
        with open(path, "w") as f:
            f.write(RECIPE.format(weights=weights, keys=""))
        return path

    def run(self, program):
        folder = self.path("out")
        self.tools.run("q-run", "--interpret", program, "--data", self.samples, "--output-dir", folder)
        return np.load(f"{folder}/y.npy")

    def rewrite(self, program, passes, result):
        self.tools.run("q-opt", program, f"-pass-pipeline=builtin.module({passes})", "-o", result)
        return result

    def quantized(self, program, statistics, weights):
        """The SQNR of the program with one scale an activation."""
        passes = f"func.func(qd-quantize{{recipe={self.recipe(weights)} statistics={statistics}}})"
        return sqnr(self.outputs, self.run(self.rewrite(program, passes, self.path("q.mlir"))))

    def check(self, name, weights, least):
        if weights not in self.loss:
            self.loss[weights] = self.quantized(self.program, self.statistics, weights)
        options = "" if name == "qd-absorb-bias" else f"recipe={self.recipe(weights)} "
        after, statistics = self.path("after.mlir"), self.path("after.json")
        passes = f"{name.split()[0]}{{{options}statistics={self.statistics} output-statistics={statistics}"
        if name.endswith("on samples"):
            passes += f" calibration={self.samples}"
        if name == "qd-smooth-search":
            self.rewrite(self.program, f"{passes} calibration={self.samples}}}", after)
        else:
            self.rewrite(self.program, f"func.func({passes}}})", after)
        found = self.run(after)
        error = float(np.abs(found - self.outputs).max() / np.abs(self.outputs).max())
        gain = self.quantized(after, statistics, weights) - self.loss[weights]
        ok = gain >= least and (error <= 1e-5 or name.startswith("qd-correct-bias"))
        print(f"{'passed' if ok else 'FAILED'}: {self.name}, {name}: error {error:.1e}, gain {gain:.1f} dB")
        return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"seed {args.seed}")
    failed = 0
    tools = Tools(args.build)
    for planted in ("channel", "bias"):
        nets = {f"{form.name}": lambda path, r, form=form, planted=planted: hand_written(form, path, r, planted)
                for form in FORMS}
        nets |= {kind: lambda path, r, kind=kind, planted=planted: imported(kind, path, r, planted)
                 for kind in ("ONNX MatMul", "ONNX Conv")}
        if planted == "channel":
            nets["norm"] = lambda path, r: behind_a_norm(path, r, "channel")
        for name, make in nets.items():
            random = np.random.default_rng(args.seed)
            case = Case(tools, f"{planted} {name}", lambda path, make=make, r=random: make(path, r), random)
            for which, formats, plant, least in PASSES:
                if plant == planted:
                    failed += not case.check(which, formats, least)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
