#!/usr/bin/env python3
# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The inputs of the importer's fuzzer.

corpus.py make FOLDER   writes the kept inputs, the models of the lit tests, random one-operator models and the small
                        models of onnx.backend.test to FOLDER
corpus.py keep FOLDER   writes FOLDER's files to fuzz/corpus.zip
corpus.py replay --build BUILD   imports the kept inputs with a build's replaying program; exit code 1 when it crashed
"""

import glob
import os
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnx

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [os.path.join(ROOT, "integration", "onnx"), os.path.join(ROOT, "test", "Target", "ONNX", "Inputs")]

import import_models
import op_cases

ARCHIVE = os.path.join(ROOT, "fuzz", "corpus.zip")
LARGEST = 8192  # bytes: mutating more finds less


def lit_models():
    for path in sorted(glob.glob(os.path.join(ROOT, "test", "Target", "ONNX", "Import", "*.test"))):
        with open(path) as file:
            cases = file.read().split("// -----")[1:]
        for case in cases:
            name, _, text = case.strip().partition("\n")
            yield name.split()[0], import_models.assemble(text.splitlines()).SerializeToString()


def random_models():
    rng = np.random.default_rng(1)
    for generator in op_cases.GENERATORS:
        for index in range(8):
            try:
                case = generator(rng)
            except op_cases.Retry:
                continue
            yield f"{generator.__name__}{index}", case.model(case.output_types()).SerializeToString()


def backend_models():
    data = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    for path in sorted(glob.glob(os.path.join(data, "*", "*", "model.onnx"))):
        with open(path, "rb") as file:
            yield os.path.basename(os.path.dirname(path)), file.read()


def kept():
    if os.path.exists(ARCHIVE):
        with zipfile.ZipFile(ARCHIVE) as archive:
            for name in archive.namelist():
                yield os.path.splitext(name)[0], archive.read(name)


def make(folder):
    os.makedirs(folder, exist_ok=True)
    for models in (kept(), lit_models(), random_models(), backend_models()):
        for name, model in models:
            if len(model) <= LARGEST:
                with open(os.path.join(folder, name + ".onnx"), "wb") as file:
                    file.write(model)


def keep(folder):
    with zipfile.ZipFile(ARCHIVE + ".tmp", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(os.listdir(folder)):
            # A fixed date, so that the same inputs make the same file.
            with open(os.path.join(folder, name), "rb") as file:
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), file.read(), zipfile.ZIP_DEFLATED)
    os.replace(ARCHIVE + ".tmp", ARCHIVE)


def replay(build):
    program = os.path.join(build, "bin", "qd-fuzz-import-onnx")
    with tempfile.TemporaryDirectory() as folder:
        models = list(kept())
        for name, model in models:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(model)
        done = subprocess.run([program, folder], text=True, capture_output=True, check=False, timeout=300)
    if done.returncode:
        print(f"{program} ended with {done.returncode} at {done.stdout.splitlines()[-1:]}\n{done.stderr[-2000:]}")
        sys.exit(1)
    print(f"{len(models)} kept inputs: each ended in a module or in an error")


if __name__ == "__main__":
    {"make": make, "keep": keep, "replay": replay}[sys.argv[1]](sys.argv[-1])
