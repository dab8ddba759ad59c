# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a module that returns weights of 1000 to 1039 bytes, or checks what it returned (`check FOLDER`)."""

import sys

import numpy as np

SIZES = range(1000, 1040)


def codes(size):
    return (np.arange(size) * 7 + size).astype(np.int8)


if sys.argv[1:]:
    for size in SIZES:
        got = np.load(f"{sys.argv[2]}/w{size}.npy")
        assert got.dtype == np.int8 and np.array_equal(got, codes(size)), size
else:
    types = [f"tensor<{size}xi8>" for size in SIZES]
    names = ", ".join(f'{t} {{qd.name = "w{size}"}}' for t, size in zip(types, SIZES, strict=True))
    print(f"func.func @main() -> ({names}) {{")
    for size, t in zip(SIZES, types, strict=True):
        print(f"  %w{size} = arith.constant dense_resource<w{size}> : {t}")
    print(f"  return {', '.join(f'%w{size}' for size in SIZES)} : {', '.join(types)}\n}}")
    resources = ", ".join(f'w{size}: "0x01000000{codes(size).tobytes().hex().upper()}"' for size in SIZES)
    print(f"{{-# dialect_resources: {{ builtin: {{ {resources} }} }} #-}}")
