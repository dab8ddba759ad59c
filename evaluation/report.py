# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rows of figures: {suite, case, metric, value, reference, goal, ok}, as a table and as JSON."""

import json
import os


class Report:
    """Collects rows; a goal is a pair (relation, number) with relation one of <=, >=, ==."""

    def __init__(self):
        self.rows = []

    def add(self, suite, case, metric, value, goal=None, reference=None):
        ok = None
        if goal is not None:
            relation, bound = goal
            ok = bool({"<=": value <= bound, ">=": value >= bound, "==": value == bound}[relation])
        self.rows.append({"suite": suite, "case": case, "metric": metric, "value": value, "reference": reference,
                          "goal": f"{goal[0]} {goal[1]:g}" if goal else None, "ok": ok})
        print(self.line(self.rows[-1]), flush=True)

    @staticmethod
    def line(row):
        value = row["value"]
        value = f"{value:.5g}" if isinstance(value, float) else str(value)
        mark = {True: "ok", False: "MISSED", None: ""}[row["ok"]]
        reference = "" if row["reference"] is None else f"(reference {row['reference']})"
        return f"{row['suite']:20} {row['case']:34} {row['metric']:32} {value:>12}  {row['goal'] or '':12} {mark:7}" \
               f"{reference}".rstrip()

    def missed(self):
        return [row for row in self.rows if row["ok"] is False]

    def write(self, path):
        temporary = f"{path}.{os.getpid()}.tmp"
        with open(temporary, "w") as f:
            json.dump(self.rows, f, indent=1)
        os.replace(temporary, path)


def sqnr(reference, value):
    """10 log10 of signal power over error power, in dB, over the whole arrays."""
    import numpy as np

    error = np.sum((reference.astype(np.float64) - value) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / error))


def cosine(reference, value):
    """Mean cosine similarity of the rows."""
    import numpy as np

    a, b = reference.astype(np.float64), value.astype(np.float64)
    return float(np.mean(np.sum(a * b, -1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))
