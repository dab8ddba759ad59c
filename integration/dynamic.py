# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Symbolic sizes: one .so at several sizes, against the interpreter and ONNX Runtime, float and int8.

Float results are compared with ONNX Runtime; int8 ones with the interpreter, bit for bit. Each with 1 and 2 threads.
Calibration samples differ in size too. Shapes that a model does not take are errors that name the dimension.
"""

import argparse
import json
import os
import sys

import numpy as np
import onnx

from evaluation import peers
from evaluation.tools import Tools
from integration import dynamic_graphs


def dims(bounds):
    return [f"--dim={name}={':'.join([f'{low}..{high}', *map(str, step)])}"
            for name, (low, high, *step) in bounds.items()]


def interpret(tools, program, feeds, flags=()):
    folder, data = tools.path("out"), tools.path("in.npz")
    np.savez(data, **feeds)
    tools.run("q-run", "--interpret", program, "--input", data, "--output-dir", folder, *flags)
    return {f[:-4]: np.load(os.path.join(folder, f)) for f in os.listdir(folder)}


def check_refusals(path, bounds, kind, model_file, rng):
    """A size beyond its bounds, and two inputs that disagree."""
    from qdialect import Model, ModelError

    problems = []

    def refuse(model, feeds, *words):
        try:
            model.run(**feeds)
            problems.append(f"took {[f.shape for f in feeds.values()]}")
        except ModelError as error:
            problems.extend(f"no '{word}' in '{error}'" for word in words if word not in str(error))

    with Model(path, threads=1) as model:
        name, (_, high) = list(bounds.items())[0]
        size = {n: low for n, (low, *_) in bounds.items()}
        refuse(model, dynamic_graphs.feeds(kind, {**size, name: high + 1}, rng, model_file),
               f"is {high + 1}", f"to {high}", f"'{name}'", "dimension 0")
        if kind == "detector":
            refuse(model, dynamic_graphs.feeds(kind, {**size, "width": 40}, rng),
                   "dimension 3 of input 'x'", "is 40", "a multiple of 16", "'width'")
        if kind == "transformer":
            feeds = dynamic_graphs.feeds(kind, {**size, "seq": 5}, rng)
            feeds["mask"] = feeds["mask"][:, :3].copy()
            refuse(model, feeds, "dimension 1 of input 'mask'", "is 3", "must be 5", "'seq'")
    return problems


def slow_layers(library):
    """Convolutions, products and softmaxes that the kernel of last resort computes, and products that fell back."""
    with open(library[:-3] + ".receipt.json") as file:
        layers = json.load(file)["layers"]
    return [f"{layer['op']} {layer['name']} has the generic kernel" for layer in layers
            if layer["op"] in ("conv", "depthwise", "matmul", "softmax") and layer["kernel"] == "generic"] + [
                f"{layer['op']} {layer['name']} fell back: {layer['fallback']}" for layer in layers
                if layer["op"] == "matmul" and layer.get("fallback")]


def check(tools, kind, index, seed):
    """A list of what is wrong with graph `index`."""
    from qdialect import Model

    rng = np.random.default_rng([seed, index])
    model, bounds, sizes = dynamic_graphs.build(kind, rng)
    path, problems = tools.path(f"d{index}.onnx"), []
    onnx.save(model, path)
    session = peers.session(path, optimize=False)
    names = [o.name for o in session.get_outputs()]
    programs = [("float", path, tools.compile(path, tools.path(f"d{index}.so"), "--recipe=float", *dims(bounds)))]
    if kind != "shapes":
        samples = tools.path(f"d{index}-samples")
        os.makedirs(samples, exist_ok=True)
        for i, size in enumerate([*sizes, *sizes]):
            np.savez(os.path.join(samples, f"{i}.npz"), **dynamic_graphs.feeds(kind, {**size, "batch": 1}, rng, model))
        module = tools.compile(path, tools.path(f"d{index}.mlir"), "--recipe=w8a8-int", "--calibration", samples,
                               "--stop-after=integerize", *dims(bounds))
        programs.append(("int8", module, tools.compile(module, tools.path(f"d{index}q.so"))))
    for precision, program, library in programs:
        problems += slow_layers(library)
        with Model(library, threads=1) as one, Model(library, threads=2) as two:
            for size in sizes:
                feeds = dynamic_graphs.feeds(kind, size, rng, model)
                y, again = one.run(**feeds), two.run(**feeds)
                flags = dims(bounds) if program.endswith(".onnx") else ()
                wanted = interpret(tools, program, feeds, flags)
                truth = dict(zip(names, session.run(None, feeds), strict=True))
                for name in names:
                    where = f"{precision} {size} output {name}"
                    if not np.array_equal(y[name], again[name], equal_nan=True):
                        problems.append(f"{where}: 2 threads differ from 1")
                    if y[name].shape != truth[name].shape:
                        problems.append(f"{where}: shape {y[name].shape}, ONNX Runtime's {truth[name].shape}")
                    elif precision == "float" and not np.allclose(y[name], truth[name], rtol=1e-4, atol=2e-5):
                        problems.append(f"{where}: {np.abs(y[name] - truth[name]).max()} from ONNX Runtime")
                    # Float contractions may sum in another order.
                    exact = precision == "int8" and kind in ("cnn", "windows", "audio", "pyramid", "detector", "recurrent")
                    if not np.allclose(y[name], wanted[name], rtol=0 if exact else 1e-4, atol=0 if exact else 2e-5):
                        problems.append(f"{where}: {np.abs(y[name] - wanted[name]).max()} from the interpreter")
        problems += check_refusals(library, bounds, kind, model, rng)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--count", type=int, default=9)
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    tools, failed = Tools(args.build), 0
    for index in range(args.count):
        kind = dynamic_graphs.KINDS[index % len(dynamic_graphs.KINDS)]
        problems = check(tools, kind, index, args.seed)
        print(f"seed {args.seed} graph {index} ({kind}): {'; '.join(problems[:4]) or 'ok'}")
        failed += bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
