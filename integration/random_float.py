# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random graphs of float operators: compiled code beside the ONNX reference evaluator and ONNX Runtime.

An output passes if it is close to one of the two; where they are not close to each other the graph is counted, and the
line says whom we follow; the specification's text decides. Known: the reference evaluator's GlobalMaxPool takes its
maximum over channels too where the rank is not 4 (onnx 1.22); we follow ONNX Runtime and the text.
"""

import argparse
import os
import sys
import tempfile

import numpy as np
import onnx

from evaluation import peers
from integration import float_graphs

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnx"))
import conformance_worker  # noqa: E402


def close(a, b):
    """Equal but for rounding: absolute errors are those of sums over the whole tensor."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool((a == b).all())
    scale = float(np.abs(b).max(initial=1.0))
    return bool(np.allclose(a, b, rtol=1e-4, atol=2e-5 * max(scale, 1.0), equal_nan=True))


def run_batch(worker, model, feeds, folder):
    """Our outputs, or what went wrong."""
    path, files = os.path.join(folder, "model.onnx"), {}
    onnx.save(model, path)
    for name, array in feeds.items():
        files[name] = os.path.join(folder, f"{name}.npy")
        np.save(files[name], array)
    answer = worker.run({"model": path, "mode": "compile", "inputs": files, "outputs": folder, "dims": []})
    if not answer["ok"]:
        return f"{answer['stage']}: {answer['error'][:500]}"
    return [np.load(os.path.join(folder, name)) for name in answer["outputs"]]


def verdict(ours, reference, runtime):
    """(what is wrong or None, whom we follow where the two disagree or None)."""
    follows = None
    for (name, a), r, o in zip(reference.items(), ours, runtime, strict=True):
        agree = close(o, a)
        near = {"the reference": close(r, a), "ONNX Runtime": close(r, o)}
        if not any(near.values()):
            with np.errstate(all="ignore"):
                same = r.shape == a.shape and r.dtype.kind == "f"
                worst = f", by up to {np.nanmax(np.abs(r - a)):.3g}" if same and r.size else ""
            return f"output {name} {r.dtype}{list(r.shape)} is neither's {a.dtype}{list(a.shape)}{worst}", follows
        if not agree and sum(near.values()) == 1:
            follows = next(k for k, v in near.items() if v)
    return None, follows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--only", type=int, help="the one graph with this index, kept as float-graph.onnx")
    args = parser.parse_args()
    failed, followed, nodes = 0, {}, 0
    with conformance_worker.Worker(os.path.join(args.build, "bin", "q-batch")) as worker, \
            tempfile.TemporaryDirectory() as folder:  # fmt: skip
        for index in [args.only] if args.only is not None else range(args.count):
            model, feeds, reference = float_graphs.build(np.random.default_rng([args.seed, index]), args.nodes)
            nodes += len(model.graph.node)
            if args.only is not None:
                onnx.save(model, "float-graph.onnx")
            kinds = " ".join(n.op_type for n in model.graph.node)
            path = os.path.join(folder, "ort.onnx")
            onnx.save(model, path)
            runtime = peers.session(path, optimize=False).run(None, feeds)
            ours = run_batch(worker, model, feeds, folder)
            what, follows = (ours, None) if isinstance(ours, str) else verdict(ours, reference, runtime)
            if what:
                print(f"seed {args.seed} graph {index}: {what} ({kinds})")
                failed += 1
            elif follows:
                print(f"seed {args.seed} graph {index}: ONNX Runtime and the reference disagree; as {follows} ({kinds})")
                followed[follows] = followed.get(follows, 0) + 1
    told = ", ".join(f"{count} as {who} alone" for who, count in followed.items()) or "the two agreed everywhere"
    print(f"random float graphs, seed {args.seed}: {nodes} nodes, {told}, {failed} graphs failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
