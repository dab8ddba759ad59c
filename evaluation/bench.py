# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Print speeds beside the peers', measured in one run: scripts/bench SUITE... [--json F].

Every contestant lives in a process of its own; they take turns for some rounds, so that a drift of the machine's speed
hits all alike. Latency is the minimum and the median over all calls of all rounds; goals are ratios of minima.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
import onnx

from evaluation import bench_nbits, bench_packed, peers
from evaluation.report import Report
from evaluation.tools import ROOT, Tools
from models import build, magika, minilm, packages, photographs

SHAPE = (3, 224, 224)
# model: (goal of ONNX Runtime int8's latency over ours, of its fp32's over ours), None where no goal is set
GOALS = {"resnet50": (0.8, 2.0), "efficientnet-lite0": (None, None), "squeezenet": (None, None)}


class Contestant:
    """A worker process that holds one model and times batches of calls on request."""

    def __init__(self, kind, path, threads, feed=""):
        env = {**os.environ, "PYTHONPATH": ROOT}
        self.process = subprocess.Popen([sys.executable, "-m", "evaluation.bench_worker", kind, path, str(threads), feed],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT)
        self.times = []
        if json.loads(self.process.stdout.readline()) != "ready":
            raise RuntimeError(f"{kind} {path}: the worker did not start")

    def round(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        self.times += json.loads(self.process.stdout.readline())
        time.sleep(0.05)  # let spinning threads go to sleep before the next contestant

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measured_compile(tools, *args):
    """Runs q-compile; returns seconds and peak memory in MB."""
    command = [os.path.join(tools.bin, "q-compile"), *map(str, args)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)}: {errors}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def compete(report, case, team, args, int8_goal=None, fp32_goal=None):
    """Lets the contestants take turns; returns the best time of each."""
    for _ in range(args.rounds):
        for contestant in team.values():
            contestant.round(args.seconds)
    best = {}
    for who, contestant in team.items():
        contestant.close()
        best[who] = min(contestant.times)
        report.add("models", case, f"{who} min ms", best[who] * 1e3, None,
                   f"median {np.median(contestant.times) * 1e3:.2f}")
    report.add("models", case, "speed over ORT int8", best["ORT int8"] / best["ours int8"],
               (">=", int8_goal) if int8_goal else None)
    report.add("models", case, "speed over ORT fp32", best["ORT fp32"] / best["ours int8"],
               (">=", fp32_goal) if fp32_goal else None)
    return best


def int8_weight_bytes(model):
    """One byte for each weight of the convolutions and matrix products."""
    graph = onnx.load(model).graph
    return sum(int(np.prod(i.dims)) for i in graph.initializer
               if i.data_type == onnx.TensorProto.FLOAT and len(i.dims) >= 2)


def models(report, tools, args):
    rng = np.random.default_rng(3)
    for name, (int8_goal, fp32_goal) in GOALS.items():
        model = build.cached(name)
        real = name == "efficientnet-lite0"
        samples = photographs.calibration(16) if real else rng.standard_normal((16, *SHAPE), np.float32)
        data = tools.path(f"{name}.npz")
        np.savez(data, image=samples)
        peer = os.path.join(packages.CACHE, "models", f"{name}.bench.onnx")
        peers.quantize_static(model, "image", samples, peer)
        so = tools.path(f"{name}.so")
        flags = (model, "--calibration", data, "--recipe", "w8a8-int", "-o", so)
        seconds, memory = measured_compile(tools, *flags)
        is_goal = name == "resnet50"
        report.add("compile", name, "seconds", seconds, ("<=", 15) if is_goal else None)
        report.add("compile", name, "peak MB", memory, ("<=", 1500) if is_goal else None)
        report.add("compile", name, "file over int8 weights", os.path.getsize(so) / int8_weight_bytes(model),
                   ("<=", 1.05) if is_goal else None)
        float_so = tools.compile(model, tools.path(f"{name}-float.so"), "--recipe", "float")
        for threads in (1, 2):
            team = {"ours int8": Contestant("qdialect", so, threads), "ORT int8": Contestant("ort", peer, threads),
                    "ours fp32": Contestant("qdialect", float_so, threads),
                    "ORT fp32": Contestant("ort", model, threads)}
            case = f"{name} {threads} thread"
            best = compete(report, case, team, args, int8_goal, fp32_goal)
            report.add("models", case, "fp32 latency over ORT fp32's", best["ours fp32"] / best["ORT fp32"],
                       ("<=", 1.5) if name == "resnet50" and threads == 1 else None)


def token_models(report, tools, args):
    """Models of tokens and bytes: ours beside ONNX Runtime's fp32 and its dynamic int8."""
    texts = minilm.sentences()
    inputs = {"minilm": minilm.encode_full(texts[:64]), "magika": {"bytes": magika.inputs(magika.files(64))}}
    for name, samples in inputs.items():
        model = build.cached(name)
        data = tools.path(f"{name}.npz")
        np.savez(data, **samples)
        feed = tools.path(f"{name}-feed.npz")
        np.savez(feed, **{key: values[:1] for key, values in samples.items()})
        peer = peers.quantize_dynamic(model, os.path.join(packages.CACHE, "models", f"{name}.ort-dynamic.onnx"))
        dim = ("--dim", "unk__214=1") if name == "magika" else ()
        so = tools.path(f"{name}.so")
        seconds, memory = measured_compile(tools, model, *dim, "--calibration", data, "--recipe", "w8a8-int", "-o", so)
        report.add("compile", name, "seconds", seconds)
        report.add("compile", name, "peak MB", memory)
        float_so = tools.compile(model, tools.path(f"{name}-float.so"), *dim, "--recipe", "float")
        for threads in (1, 2):
            team = {"ours int8": Contestant("qdialect", so, threads, feed),
                    "ORT int8": Contestant("ort", peer, threads, feed),
                    "ours fp32": Contestant("qdialect", float_so, threads, feed),
                    "ORT fp32": Contestant("ort", model, threads, feed)}
            compete(report, f"{name} {threads} thread", team, args)


SUITES = {"models": models, "tokens": token_models, "nbits": bench_nbits.suite(Contestant),
          "packed": bench_packed.suite(Contestant)}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(SUITES), metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--build", default="build", help="build folder whose tools are measured")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.8, help="of each contestant in each round")
    parser.add_argument("--json", help="also write the rows to this file")
    args = parser.parse_args()
    unknown = [s for s in args.suites if s not in SUITES]
    if unknown:
        parser.error(f"unknown suite '{unknown[0]}'; there are: {', '.join(SUITES)}")
    report = Report()
    with open("/proc/cpuinfo") as info:
        print(next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown CPU"))
    for suite in args.suites:
        SUITES[suite](report, Tools(args.build), args)
    if args.json:
        report.write(args.json)
    return 1 if report.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
