# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hostile and broken inputs: a clear error, the documented exit code, and nothing half-written."""

import argparse
import os
import signal
import subprocess
import sys
import time

import numpy as np

from evaluation import digits
from evaluation.tools import Tools

FAILURES = []


def expect_error(tools, name, words, command, output=None):
    """The command fails without a crash, its message has every word, and `output` does not exist afterwards."""
    done = subprocess.run([os.path.join(tools.bin, command[0]), *map(str, command[1:])], capture_output=True, text=True,
                          timeout=120, check=False)
    message = done.stdout + done.stderr
    problems = []
    if done.returncode <= 0:
        problems.append(f"exit code {done.returncode}")
    problems += [f"no '{word}' in the message" for word in words if word not in message]
    if output:
        folder, base = os.path.split(output)
        stem = os.path.splitext(base)[0]
        left = [f for f in os.listdir(folder) if f.startswith(stem)] if os.path.isdir(folder) else []
        if left:
            problems.append(f"left behind {left}")
    print(f"{name}: {'; '.join(problems) or 'ok'}")
    if problems:
        FAILURES.append(name)
        print(f"  message: {message.strip()[:600]}")


def interrupt(tools, command, folder):
    """Ctrl-C at moments spread over the command's whole run: all its files are there afterwards, or none is."""
    os.makedirs(folder)
    start = time.monotonic()
    subprocess.run(command, capture_output=True, check=True)
    whole = time.monotonic() - start
    complete = sorted(os.listdir(folder))
    problems, interrupted, count = [], 0, 12
    for i in range(count):
        for file in os.listdir(folder):
            os.remove(os.path.join(folder, file))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * (i + 0.5) / count)
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
        interrupted += code != 0
        left = sorted(os.listdir(folder))
        if left != complete and (code == 0 or left):  # the signal may come when all is written
            problems.append(f"exit code {code} left {left}")
    if not interrupted:
        problems.append("nothing was interrupted")
    print(f"interrupted {interrupted} of {count} times: {'; '.join(problems) or 'ok'}")
    if problems:
        FAILURES.append("interrupted")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    tools = Tools(parser.parse_args().build)
    out = tools.path("out.so")
    model = open(digits.MODEL, "rb").read()

    def broken(name, data):
        path = tools.path(name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def compiled(name, words, path, *more, output=out):
        expect_error(tools, name, words, ["q-compile", path, *more, "-o", output], output)

    calibration = ("--calibration", digits.CALIBRATION)
    for cut in (0, 1, 100, len(model) // 2, len(model) - 1):
        compiled(f"model cut to {cut} bytes", [], broken("cut.onnx", model[:cut]), *calibration)
    rng = np.random.default_rng(5)
    for i in range(40):  # flipped bytes may leave a valid model; it must only never crash
        data = bytearray(model)
        for at in rng.integers(0, 4000, 3):
            data[at] = int(rng.integers(0, 256))
        done = subprocess.run([os.path.join(tools.bin, "q-translate"), "--import-onnx",
                               broken("flipped.onnx", bytes(data)), "-o", os.devnull], capture_output=True,
                              timeout=60, check=False)
        if done.returncode < 0:
            FAILURES.append(f"flipped bytes {i}")
            print(f"flipped bytes {i}: signal {-done.returncode}")
    compiled("no such model", ["none.onnx"], tools.path("none.onnx"), *calibration)
    compiled("a text file", [], broken("text.onnx", b"hello, world\n"), *calibration)
    compiled("integer recipe without calibration", ["--calibration"], digits.MODEL)
    np.savez(tools.path("shape.npz"), image=np.zeros((4, 1, 28, 28), np.float32))
    compiled("calibration of a wrong shape", ["image", "28", "20"], digits.MODEL, "--calibration",
             tools.path("shape.npz"))
    np.savez(tools.path("name.npz"), picture=np.zeros((4, 1, 20, 20), np.float32))
    compiled("calibration with a wrong name", ["image", "picture"], digits.MODEL, "--calibration",
             tools.path("name.npz"))
    values = np.zeros((4, 1, 20, 20), np.float32)
    values[2, 0, 3, 3] = np.nan
    np.savez(tools.path("nan.npz"), image=values)
    compiled("NaN in calibration", ["image", "NaN"], digits.MODEL, "--calibration", tools.path("nan.npz"))
    compiled("unknown recipe", ["no-such-recipe"], digits.MODEL, *calibration, "--recipe", "no-such-recipe")
    compiled("unknown CPU", ["pentium9"], digits.MODEL, *calibration, "--target-cpu", "pentium9")
    missing = tools.path("no-such-folder/out.so")
    compiled("unwritable output", ["no-such-folder"], digits.MODEL, *calibration, output=missing)
    expect_error(tools, "q-run on a model that is no library", [], ["q-run", digits.MODEL + "x", "--input", "a.npy"])
    folder = tools.path("interrupted")
    interrupt(tools, [os.path.join(tools.bin, "q-compile"), digits.MODEL, *calibration, "-o",
                      os.path.join(folder, "model.so")], folder)
    print(f"{len(FAILURES)} failed")
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
