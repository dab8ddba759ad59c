# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Run the kernels of plain.cu, tensor.cu and block.cu and compare with numpy.

  check_kernels.py FOLDER_OF_PTX WORK_FOLDER

Prints a line a kernel; exit code 1 when a result is wrong or a checker found something.
"""

import os
import subprocess
import sys

import numpy as np

PTX, WORK = sys.argv[1], sys.argv[2]
RANDOM = np.random.default_rng(20261122)
failed = False


def run(file, kernel, grid, block, *arguments):
    """Arrays are written for in: and inout:, and the outputs read back."""
    command = ["q-ptx-run", os.path.join(PTX, file + ".ptx"), "--kernel", kernel, f"--grid={grid}", f"--block={block}"]
    outputs = []
    for number, argument in enumerate(arguments):
        path = os.path.join(WORK, f"{kernel}.{number}.npy")
        if isinstance(argument, str):
            if argument.startswith("out:"):
                argument = f"out:{path}:{argument[4:]}"
                outputs.append(path)
        else:
            kind, array = argument
            np.save(path, array)
            argument = f"{kind}:{path}"
            if kind == "inout":
                outputs.append(path)
        command += ["--arg", argument]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[:2000])
        return [None] * len(outputs), done.stdout
    return [np.load(path) for path in outputs], done.stdout


def check(name, good):
    global failed
    failed |= not good
    print(f"{name}: {'ok' if good else 'WRONG'}")


def equal(got, expected):
    return got is not None and np.array_equal(got, expected)


def plain():
    x, y = RANDOM.random(1000, dtype=np.float32), RANDOM.random(1000, dtype=np.float32)
    [got], _ = run("plain", "saxpy", 8, 128, "i32:1000", "f32:0.5", ("in", x), ("inout", y))
    # A fused multiply-add: one rounding.
    expected = (np.float64(0.5) * x + y).astype(np.float32)
    check("saxpy", equal(got, expected))

    n = 300
    x = RANDOM.integers(-(2**31), 2**31, n, dtype=np.int32)
    [got], text = run("plain", "integers", 3, 128, ("in", x), f"out:i32:{n}", f"i32:{n}")
    expected = np.empty(n, np.int32)
    for i in range(n):
        k = int(x[i]) & 7
        quotient = int(int(x[(i + k) % n]) / (k + 3))
        steps, m = 0, i + 1
        while m != 1:
            m, steps = (3 * m + 1 if m % 2 else m // 2), steps + 1
        value = quotient * 1000 + steps + bin(int(x[i]) & 0xFFFFFFFF).count("1") % 7
        expected[i] = (value + 2**31) % 2**32 - 2**31
    check("integers", equal(got, expected))
    check("printf", text == f"thread 5 has {x[5]} and {expected[5] * 0.5:.2f}\n")

    x = RANDOM.integers(0, 2**32, 1000, dtype=np.uint32)
    [got], _ = run("plain", "histogram", 4, 96, ("in", x), ("inout", np.zeros(16, np.uint32)), "i32:1000")
    check("histogram", equal(got, np.bincount(x & 15, minlength=16)))

    x = RANDOM.random((64, 64), dtype=np.float32)
    [got], _ = run("plain", "transpose", "2,2", "32,8", ("in", x), "out:f32:64x64", "i32:64")
    check("transpose", equal(got, x.T))

    x = RANDOM.standard_normal((3, 50)).astype(np.float32)
    [got], _ = run("plain", "softmax", 3, 32, ("in", x), "out:f32:3x50", "i32:50")
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    check("softmax", got is not None and np.allclose(got, e / e.sum(1, keepdims=True), rtol=2e-6, atol=0))


def tensor():
    m, n, k = 32, 48, 128
    a = RANDOM.integers(-128, 128, (m, k), dtype=np.int8)
    b = RANDOM.integers(-128, 128, (n, k), dtype=np.int8)
    product = a.astype(np.int32) @ b.astype(np.int32).T
    [got], _ = run("tensor", "wmma_s8", f"{n // 16},{m // 16}", 32, ("in", a), ("in", b), f"out:i32:{m}x{n}", f"i32:{k}")
    check("wmma_s8", equal(got, product))
    [got], _ = run("tensor", "mma_s8", f"{n // 8},{m // 16}", 32, ("in", a), ("in", b), f"out:i32:{m}x{n}", f"i32:{k}")
    check("mma_s8", equal(got, product))
    # Small integers: every float sum is exact.
    a, b = (a % 8).astype(np.float16), (b % 8).astype(np.float16)
    product = a.astype(np.float32) @ b.astype(np.float32).T
    [got], _ = run("tensor", "wmma_f16", f"{n // 16},{m // 16}", 32, ("in", a), ("in", b), f"out:f32:{m}x{n}", f"i32:{k}")
    check("wmma_f16", equal(got, product / 2))


def block():
    x = RANDOM.integers(-1000, 1000, 384, dtype=np.int32)
    [got], _ = run("block", "block_reduce", 3, 128, ("in", x), "out:i32:3")
    check("block_reduce", equal(got, x.reshape(3, 128).sum(1)))
    [got], _ = run("block", "block_scan", 3, 128, ("in", x), "out:i32:384")
    check("block_scan", equal(got, x.reshape(3, 128).cumsum(1).reshape(-1)))
    x = RANDOM.integers(0, 2**32, 512, dtype=np.uint32)
    [got], _ = run("block", "block_sort", 2, 64, ("in", x), "out:u32:512")
    check("block_sort", equal(got, np.sort(x.reshape(2, 256), 1).reshape(-1)))
    x = np.arange(256, dtype=np.int32)
    [got], _ = run("block", "block_transpose", 1, 64, ("in", x), "out:i32:256")
    check("block_transpose", equal(got, x.reshape(4, 64).T.reshape(-1)))


plain()
tensor()
block()
sys.exit(failed)
