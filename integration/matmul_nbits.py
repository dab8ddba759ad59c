# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random MatMulNBits (and blocked DequantizeLinear + MatMul) models: compiled, against f64 and ONNX Runtime.

Every width, block size, kind of zero point, sizes around the edges of tiles and blocks. Each variant of the library that
runs here, and the generic lowering, must agree with the exact product; the weights must stay packed in the file. With
accuracy_level 4 the product is that of the rounded activations, it is integer in the receipt, and all of them and the
interpreter have the same bits.
"""

import argparse
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from evaluation.tools import Tools, variants_here


def pack(codes, bits):
    """Codes along the last axis, lowest bits first, padded to bytes."""
    shifts = np.arange(8 // bits) * bits
    count = -(-codes.shape[-1] // len(shifts)) * len(shifts)
    padded = np.zeros((*codes.shape[:-1], count), np.uint8)
    padded[..., : codes.shape[-1]] = codes
    return np.bitwise_or.reduce(padded.reshape(*codes.shape[:-1], -1, len(shifts)) << shifts.astype(np.uint8), axis=-1)


class Case:
    def __init__(self, random, number):
        pick = lambda *values: values[random.integers(len(values))]  # noqa: E731
        self.bits, self.block = pick(2, 4, 4, 8), int(pick(16, 32, 128, 256))
        self.m, self.n = int(pick(1, 1, 3, 4, 9, 33)), int(pick(1, 10, 16, 64, 65, 130))
        self.k = int(pick(self.block, 3 * self.block, 2 * self.block + 5, self.block - 3, 100))
        self.zero, self.with_bias = pick("none", "packed", "float"), bool(random.integers(2))
        self.group = number % 5 == 4 and self.k % self.block == 0
        self.level, self.qdq = 4 if number % 2 == 0 else int(pick(0, 1)), number % 4 == 3 and self.bits == 4
        self.symbolic = number % 3 == 1
        self.x = random.normal(size=(self.m, self.k)).astype(np.float32)
        blocks = -(-self.k // self.block)
        self.codes = random.integers(0, 2**self.bits, (self.n, blocks * self.block)).astype(np.uint8)
        self.codes[:, self.k :] = 0
        self.scales = random.uniform(0.01, 0.1, (self.n, blocks)).astype(np.float32)
        middle = 2 ** (self.bits - 1)
        self.zeros = (
            np.full((self.n, blocks), middle, np.uint8)
            if self.zero == "none"
            else random.integers(0, 2**self.bits, (self.n, blocks)).astype(np.uint8)
        )
        if self.zero == "float":
            self.zeros = self.zeros.astype(np.float32) + np.float32(0.25)
        self.index = np.arange(self.k) // self.block
        if self.group:
            self.index = random.permutation(self.index)
        self.bias = random.normal(size=self.n).astype(np.float32) if self.with_bias else None
        self.half = False

    def halve(self):
        """Makes it a model in f16."""
        self.half = True
        for name in ("x", "scales", "bias", "zeros"):
            value = getattr(self, name)
            if value is not None and value.dtype == np.float32:
                setattr(self, name, value.astype(np.float16).astype(np.float32))

    def flags(self):
        return ["--dim=m=1..64"] if self.symbolic else []

    def __str__(self):
        kind = "DequantizeLinear + MatMul" if self.qdq else "MatMulNBits"
        return (
            f"{kind} M={self.m} N={self.n} K={self.k} bits={self.bits} block={self.block} zero={self.zero} "
            f"g_idx={self.group} bias={self.with_bias} accuracy_level={self.level} symbolic={self.symbolic} "
            f"half={self.half}"
        )

    def rounds(self):
        """Are the activations rounded to int8?"""
        return self.level == 4 and not self.qdq and not self.group and self.zero != "float"

    def activations(self):
        """What the product reads: x, or its blocks rounded as docs/Numerics.md has it."""
        if not self.rounds():
            return self.x.astype(np.float64)
        padded = np.zeros((self.m, self.scales.shape[1] * self.block), np.float32)
        padded[:, : self.k] = self.x
        blocks = padded.reshape(self.m, -1, self.block)
        scale = np.abs(blocks).max(axis=2, keepdims=True) / np.float32(127)
        scale[scale == 0] = 1
        rounded = np.rint(blocks / scale).astype(np.float64) * scale
        return rounded.reshape(self.m, -1)[:, : self.k]

    def exact(self):
        w = (self.codes[:, : self.k].astype(np.float64) - self.zeros[:, self.index]) * self.scales[:, self.index]
        x = self.activations()
        y = x @ w.T
        return (y if self.bias is None else y + self.bias), np.abs(x) @ np.abs(w.T)

    def model(self):
        inits = []

        def const(name, array):
            if self.half and isinstance(array, np.ndarray) and array.dtype == np.float32:
                array = array.astype(np.float16)
            inits.append(array if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(array, name))
            return name

        if self.qdq:
            codes = self.codes[:, : self.k].T
            w = const("w", helper.make_tensor("w", onnx.TensorProto.UINT4, codes.shape, codes.ravel().tolist()))
            inputs = [w, const("s", np.ascontiguousarray(self.scales.T))]
            zeros = np.full_like(self.zeros.T, 8, np.uint8) if self.zero == "float" else self.zeros.T
            self.zeros, self.zero = np.ascontiguousarray(zeros.T), "packed"
            inputs.append(const("z", helper.make_tensor("z", onnx.TensorProto.UINT4, zeros.shape, zeros.ravel().tolist())))
            self.group, self.index, self.bias, self.with_bias = False, np.arange(self.k) // self.block, None, False
            nodes = [
                helper.make_node("DequantizeLinear", inputs, ["d"], axis=0, block_size=self.block),
                helper.make_node("MatMul", ["x", "d"], ["y"]),
            ]
        else:
            inputs = ["x", const("b", pack(self.codes.reshape(self.n, -1, self.block), self.bits)), const("s", self.scales)]
            zeros = pack(self.zeros, self.bits) if self.zero == "packed" else self.zeros
            inputs.append(const("z", zeros) if self.zero != "none" else "")
            inputs.append(const("g", self.index.astype(np.int32)) if self.group else "")
            inputs.append(const("bias", self.bias) if self.with_bias else "")
            while not inputs[-1]:
                inputs.pop()
            nodes = [
                helper.make_node(
                    "MatMulNBits",
                    inputs,
                    ["y"],
                    domain="com.microsoft",
                    K=self.k,
                    N=self.n,
                    bits=self.bits,
                    block_size=self.block,
                    accuracy_level=self.level,
                )
            ]
        element = onnx.TensorProto.FLOAT16 if self.half else onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", element, ("m" if self.symbolic else self.m, self.k))],
            [helper.make_tensor_value_info("y", element, ("m" if self.symbolic else self.m, self.n))],
            inits,
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10
        )


def bits_of_rounded(tools, case, path, got):
    """What is wrong with a product of rounded activations: `got` must have the interpreter's bits, the receipt no float."""
    from qdialect import Model

    module = tools.compile(path, tools.path("rounded.mlir"), "--stop-after=integerize", *case.flags())
    np.savez(tools.path("rounded.npz"), x=case.x)
    tools.run("q-run", "--interpret", module, "--input", tools.path("rounded.npz"), "--output-dir", tools.path("rounded"))
    want = np.load(os.path.join(tools.path("rounded"), "y.npy"))
    problems = [f"{name} has other bits than the interpreter" for name, y in got.items()
                if name != "ONNX Runtime" and y.tobytes() != want.tobytes()]
    with Model(path[:-5] + ".so") as m:
        receipt = m.receipt
    kernels = [layer["kernel"] for layer in receipt["layers"] if layer["macs"]]
    # Bytes with one scale and no zero point a column are an ordinary product.
    plain = case.bits == 8 and case.k <= case.block and case.zero == "none"
    wanted = ["contraction" if plain else "block-dot"]
    if receipt["totals"]["int_macs_share"] != 1 or receipt["totals"]["fallbacks"] or kernels != wanted:
        problems.append(f"the receipt says {receipt['totals']}, kernels {kernels}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "little"))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    tools, random, failed, compared, rounded = Tools(args.build), np.random.default_rng(args.seed), 0, 0, 0
    from qdialect import Model

    def fail(case, what):
        nonlocal failed
        failed += 1
        print(f"FAILED {case}: {what}")

    for number in range(args.count):
        case = Case(random, number)
        path = tools.path(f"{number}.onnx")
        onnx.save(case.model(), path)
        want, size = case.exact()
        bound = size * 1e-5 + 1e-6
        so = tools.compile(path, tools.path(f"{number}.so"), *case.flags())
        plain = ("--kernels=generic", "--target-cpu=native", *case.flags())
        generic = tools.compile(path, tools.path(f"{number}-generic.so"), *plain)
        got = {}
        for variant in variants_here(so):
            with Model(so, variant=variant) as m:
                got[variant] = m.run(x=case.x)["y"]
        with Model(generic) as m:
            got["generic"] = m.run(x=case.x)["y"]
        if case.rounds():
            rounded += 1
            for problem in bits_of_rounded(tools, case, path, got):
                fail(case, problem)
        try:
            session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
            if not case.rounds():
                got["ONNX Runtime"] = session.run(None, {"x": case.x})[0]
                compared += 1
        except Exception:  # noqa: BLE001 (it lacks some widths and kinds of zero points)
            pass
        for name, y in got.items():
            worst = float(np.max(np.abs(y - want) - bound))
            if worst > 0 and name != "ONNX Runtime":
                fail(case, f"{name} is off by {np.max(np.abs(y - want)):g}")
            elif worst > 0:
                print(f"note: ONNX Runtime is off by {np.max(np.abs(y - want)):g} for {case}")
        if case.k > case.block:
            info = tools.run("q-run", so, "--info").split("\n")
            weights = int(next(line for line in info if line.startswith("weights ")).split()[1])
            # Panels of 64 channels: codes, then at most twelve bytes a block, the order of a group index, a bias, pages.
            panels = -(-case.n // 64) * 64
            codes = panels * (-(-case.k // 4) * 4 if case.rounds() else case.k) * case.bits // 8
            parameters = panels * (12 if case.rounds() else 9) * -(-case.k // case.block) + 4 * case.k * case.group
            if weights > codes + parameters + 1024:
                fail(case, f"{weights} bytes of weights, but {codes} of codes and {parameters} of parameters")
    print(f"{args.count} models, {compared} also compared with ONNX Runtime, {rounded} integer, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
