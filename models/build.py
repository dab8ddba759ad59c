# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Build the float ONNX models that tests and benchmarks use, from PyPI packages.

  python -m models.build efficientnet-lite0|resnet50|squeezenet|minilm|minilm-parts|minilm-symbolic|magika|silero
                         |silero-sequence -o MODEL.onnx
"""

import argparse
import os

from models import efficientnet_lite0, light, magika, minilm, packages, silero

NAMES = ["efficientnet-lite0", "resnet50", "squeezenet", "minilm", "minilm-parts", "minilm-symbolic", "magika",
         *silero.FILES]


def build(name, path):
    if name == "efficientnet-lite0":
        efficientnet_lite0.build(path)
    elif name == "minilm-symbolic":
        minilm.build(path, batch="batch", seq="seq")
    elif name.startswith("minilm"):
        minilm.build(path, parts=name == "minilm-parts")
    elif name == "magika":
        magika.build(path)
    elif name in silero.FILES:
        silero.build(name, path)
    else:
        light.build(name, path)


def cached(name):
    """The path of the model, built once into .cache/models."""
    path = os.path.join(packages.CACHE, "models", f"{name}.onnx")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        build(name, path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=NAMES)
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()
    build(args.model, args.output)


if __name__ == "__main__":
    main()
