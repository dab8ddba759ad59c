# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""symbolic_attention.py LIBRARY MODULE FOLDER: the library at many sizes, on every variant, with one thread and with three,
against the interpreter."""

import os
import subprocess
import sys

import numpy as np

SIZES = [(1, 1, 1), (2, 5, 17), (1, 16, 64), (3, 7, 63), (1, 13, 66), (1, 70, 130), (2, 3, 300)]
VARIANTS = ["avx512amx", "avx512vnni", "avx2", "scalar"]


def run(*command, variant=None):
    env = {**os.environ, **({"QDIALECT_CPU": variant} if variant else {})}
    return subprocess.run(["q-run", *command], capture_output=True, text=True, check=False, env=env)


def main(library, module, folder):
    rng = np.random.default_rng(11)
    equal = total = 0
    for batch, seq, keys in SIZES:
        inputs = {"q": rng.integers(-128, 128, (batch, seq, 3, 7), np.int8),
                  "k": rng.integers(-128, 128, (batch, keys, 3, 7), np.int8)}
        data, wanted = os.path.join(folder, "in.npz"), os.path.join(folder, "wanted")
        np.savez(data, **inputs)
        done = run("--interpret", module, "--input", data, "--output-dir", wanted)
        if done.returncode:
            sys.exit(done.stderr)
        for variant in VARIANTS:
            for threads in ("1", "3"):
                done = run(library, "--input", data, "--threads", threads, "--compare", wanted, "--require-equal",
                           variant=variant)
                total += 1
                # A machine that lacks the variant's instructions has nothing to compare.
                equal += done.returncode == 0 or "no code for this CPU" in done.stderr
                if done.returncode:
                    print((batch, seq, keys), variant, threads, done.stdout[-300:], done.stderr[-300:])
    print(f"{equal} of {total} equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
