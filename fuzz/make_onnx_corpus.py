#!/usr/bin/env python3
# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seed corpus of the importer's fuzzer: the models of the lit tests and random one-operator models.

make_onnx_corpus.py FOLDER
"""

import glob
import os
import sys

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [os.path.join(ROOT, "integration", "onnx"), os.path.join(ROOT, "test", "Target", "ONNX", "Inputs")]

import import_models
import op_cases


def lit_models():
    for path in sorted(glob.glob(os.path.join(ROOT, "test", "Target", "ONNX", "Import", "*.test"))):
        with open(path) as file:
            cases = file.read().split("// -----")[1:]
        for case in cases:
            name, _, text = case.strip().partition("\n")
            yield name.split()[0], import_models.assemble(text.splitlines())


def random_models():
    rng = np.random.default_rng(1)
    for generator in op_cases.GENERATORS:
        for index in range(8):
            try:
                case = generator(rng)
            except op_cases.Retry:
                continue
            yield f"{generator.__name__}{index}", case.model(case.output_types())


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for models in (lit_models(), random_models()):
        for name, model in models:
            with open(os.path.join(sys.argv[1], name + ".onnx"), "wb") as file:
                file.write(model.SerializeToString())


if __name__ == "__main__":
    main()
