# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Contests: every contestant in a process of its own, calls in turns, so that a drift of the machine's speed hits all
alike.

A round's figure is its fastest call, because what disturbs a call only ever slows it. Ratios are paired: of two contestants
in the same round, their geometric mean over the rounds, with its lower 95 % bound (Student's t on the logarithms).
"""

import json
import math
import os
import subprocess
import sys
import time

import numpy as np

from evaluation.bench import peaks
from evaluation.tools import ROOT

# One-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom; the last one serves for more.
T95 = [6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753]


class Contestant:
    """A worker process that holds one model."""

    def __init__(self, bench, kind, path, feed, threads):
        self.threads, self.rounds, self.times, self.rates, self.memory = threads, [], [], {}, 0
        self.name = f"{kind} {path}"
        env = {**os.environ, "PYTHONPATH": ROOT}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evaluation.bench.worker", kind, path, str(threads), feed,
             peaks.built_in(bench.build)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the worker ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.answer()

    def round(self, seconds, wanted_peaks):
        answer = self.ask(seconds=seconds, peaks=wanted_peaks)
        self.rounds.append(min(answer["times"]))
        self.times += answer["times"]
        self.memory = answer["memory"]
        for name, rate in answer["peaks"].items():
            self.rates[name] = max(rate, self.rates.get(name, 0))
        time.sleep(0.02)  # let spinning threads go to sleep before the next contestant

    @property
    def best(self):
        return min(self.rounds)

    @property
    def median(self):
        return float(np.median(self.times))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Team:
    """{name: (kind, path, feed)} as contestants; a context that ends their processes."""

    def __init__(self, bench, entries, threads):
        self.bench = bench
        self.members = {name: Contestant(bench, *entry, threads) for name, entry in entries.items()}
        try:
            for member in self.members.values():
                member.answer()
        except RuntimeError:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members.values():
            member.close()

    def __getitem__(self, name):
        return self.members[name]

    def compete(self, wanted_peaks=()):
        """Some rounds, each in the other direction than the one before."""
        order = list(self.members.values())
        for _ in range(self.bench.rounds):
            for member in order:
                member.round(self.bench.seconds, list(wanted_peaks))
            order.reverse()

    def fastest(self, names):
        return min((name for name in names if name in self.members), key=lambda name: self[name].best)


def paired_ratio(ours, theirs):
    """How many times the speed of `theirs` `ours` has, and the lower 95 % bound of that; one list of rounds each."""
    logs = np.log(np.array(theirs) / np.array(ours))
    mean, count = float(np.mean(logs)), len(logs)
    if count < 2:
        return math.exp(mean), 0.0
    error = float(np.std(logs, ddof=1)) / math.sqrt(count)
    return math.exp(mean), math.exp(mean - T95[min(count - 1, len(T95)) - 1] * error)
