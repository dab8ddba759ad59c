# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One contestant of scripts/bench: holds a model; for each line "SECONDS" on stdin prints a list of call times."""

import json
import sys
import time

import numpy as np

from evaluation import peers, tools


def load(kind, path, threads, data):
    """A call of the model on the arrays of the .npz `data`, else on random numbers."""
    rng = np.random.default_rng(0)
    feed = dict(np.load(data)) if data else None
    if kind == "ort":
        session = peers.session(path, threads)
        feed = feed or {i.name: rng.standard_normal(i.shape).astype(np.float32) for i in session.get_inputs()}
        return lambda: session.run(None, feed)
    from qdialect import Model

    model = Model(path, threads=threads)
    feed = feed or {i.name: rng.standard_normal(i.shape).astype(i.dtype) for i in model.inputs}
    return lambda: model.run(**feed)


def main():
    kind, path, threads, data = sys.argv[1:5]
    call = load(kind, path, int(threads), data)
    for _ in range(3):
        call()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        end = time.perf_counter() + float(line)
        times = []
        while time.perf_counter() < end or len(times) < 3:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    assert tools.ROOT  # importing it puts the project's Python package on the path
    main()
