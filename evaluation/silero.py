# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""silero-vad on recorded speech: the float libraries against ONNX Runtime, decisions of w8a8-int against float.

Every recording is run from its start, each model with its own state.
"""

import numpy as np

from evaluation import peers
from evaluation.digits import interpret_results
from models import build, silero

THRESHOLD = 0.5
# Whether the goal for decisions is this recipe's.
RECIPES = {"w8a8-int": False, "w8a8-smooth": True}
STEP = ("--dim", "input:0=1", "--dim", f"input:1={silero.CHUNK + silero.CONTEXT}", "--dim", "state:1=1", "--set",
        f"sr={silero.RATE}")
STATE, HIDDEN = (2, 1, 128), (1, 1, 128)


def detect(run, recordings):
    """The probabilities of all chunks of all recordings and the states before each; run(input, state) gives the outputs."""
    found, states = [], []
    for chunks in recordings:
        state = np.zeros(STATE, np.float32)
        for chunk in chunks:
            states.append(state)
            output, state = run(chunk[None], state)
            found.append(float(output[0, 0]))
    return np.array(found), np.stack(states)


def detect_so(so, recordings):
    from qdialect import Model

    with Model(so) as m:
        def run(chunk, state):
            outputs = m.run(input=chunk, state=state)
            return outputs["output"], outputs["stateN"]

        return *detect(run, recordings), m.receipt


def detect_onnx(model, recordings):
    session = peers.session(model)
    rate = np.array(silero.RATE)
    return detect(lambda chunk, state: session.run(None, {"input": chunk, "state": state, "sr": rate}), recordings)


def agreement(reference, found):
    return float(np.mean((reference > THRESHOLD) == (found > THRESHOLD)) * 100)


def pieces(recordings, length):
    """Runs of `length` chunks."""
    return np.stack([r[i:i + length] for r in recordings for i in range(0, len(r) - length + 1, length)])


def evaluate_sequence(report, tools, calibration, recordings, length=32):
    """The model with an LSTM over the chunks, from the zero state."""
    from qdialect import Model

    model = build.cached("silero-sequence")
    zero = np.zeros(HIDDEN, np.float32)
    inputs = pieces(recordings, length)
    session = peers.session(model)
    reference = np.stack([session.run(None, {"input": x, "h": zero, "c": zero})[0] for x in inputs])

    def run(so):
        with Model(so) as m:
            return np.stack([m.run(input=x, h=zero, c=zero)["speech_probs"] for x in inputs]), m.receipt

    dim = ("--dim", f"sequence_length={length}")
    so = tools.compile(model, tools.path("sequence-float.so"), *dim, "--recipe", "float")
    report.add("silero", "sequence float", "max |difference| to ONNX Runtime",
               float(np.abs(run(so)[0] - reference).max()), ("<=", 1e-4))
    samples = pieces(calibration, length)
    data = tools.path("sequence.npz")
    np.savez(data, input=samples, h=np.stack([zero] * len(samples)), c=np.stack([zero] * len(samples)))
    for recipe in RECIPES:
        so = tools.compile(model, tools.path(f"sequence-{recipe}.so"), *dim, "--calibration", data, "--recipe", recipe,
                           "--fail-on-fallback")
        found, receipt = run(so)
        add_decisions(report, f"sequence {recipe}", reference, found.reshape(reference.shape))
        add_receipt(report, f"sequence {recipe}", receipt)


def add_decisions(report, case, reference, found):
    report.add("silero", case, f"decisions of {found.size} chunks %", agreement(reference, found),
               (">=", 99) if RECIPES[case.split()[-1]] else None)
    report.add("silero", case, "mean |difference| to float", float(np.abs(found - reference).mean()))


def add_receipt(report, case, receipt):
    totals = receipt["totals"]
    report.add("silero", case, "int_macs/total_macs", totals["int_macs"] / totals["total_macs"], (">=", 0.95))
    report.add("silero", case, "fallbacks", totals["fallbacks"], ("==", 0))
    report.add("silero", case, "products without a kernel of their own",
               sum(layer["kernel"] == "generic" and layer["macs"] > 0 for layer in receipt["layers"]), ("==", 0))


def evaluate(report, tools):
    model = build.cached("silero")
    recordings = [silero.chunks(silero.samples(path)) for path in silero.recordings()]
    calibration, tested = recordings[::2], recordings[1::2]
    reference, _ = detect_onnx(model, tested)

    so = tools.compile(model, tools.path("silero-float.so"), *STEP, "--recipe", "float")
    own, _, _ = detect_so(so, tested)
    report.add("silero", "float", "max |difference| to ONNX Runtime", float(np.abs(own - reference).max()),
               ("<=", 1e-4))
    _, states, _ = detect_so(so, calibration)
    data = tools.path("speech.npz")
    np.savez(data, input=np.concatenate(calibration)[:, None], state=states)
    for recipe in RECIPES:
        common = (*STEP, "--calibration", data, "--recipe", recipe, "--fail-on-fallback")
        so = tools.compile(model, tools.path(f"{recipe}.so"), *common)
        found, states, receipt = detect_so(so, tested)
        add_decisions(report, recipe, reference, found)
        add_receipt(report, recipe, receipt)
        program = tools.compile(model, tools.path(f"{recipe}.mlir"), *common, "--stop-after=integerize")
        few = {"input": np.concatenate(tested)[:8, None], "state": states[:8]}
        expected = interpret_results(tools, program, few, f"interpreted-{recipe}", "output")
        report.add("silero", recipe, "unequal outputs to the interpreter",
                   int(np.sum(expected.reshape(8).astype(np.float64) != found[:8])), ("==", 0))
    evaluate_sequence(report, tools, calibration, tested)
