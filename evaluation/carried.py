# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that ONNX Runtime's tools quantized, and NNCF where it is installed, carried to binaries: the distance to what
ONNX Runtime computes of them.

Static QDQ and QOperator in every type, per tensor and per channel, opset 13 and 21, and dynamic quantization of the
digits CNN; without --quick of the ResNet-50 topology, EfficientNet-Lite0 and MiniLM (with 4-bit weights, too). Each layer
of a static model (a QLinear operator, or what stands between casts) is also run alone on the inputs ONNX Runtime gave it.

Who computes the same codes everywhere is more than 100 dB from ONNX Runtime, and one other code in an early layer takes
that to 20 to 35 dB. Where the first other codes come from (8 crops or 16 sentences each):

* EfficientNet-Lite0 U8S8: none in six crops; in two a residual sum, next to a tie. QLinearAdd adds its zero point before
  it rounds, which errs in up to 2 of 65,536 pairs of codes; ours is exact in all of them.
* S8S8 (EfficientNet-Lite0, ResNet-50): none against ONNX Runtime's integer kernels, which it uses for int8 activations on
  x86 where it is asked to (session.qdqisint8allowed): the outputs are equal in bits. Unasked it computes these convolutions
  in f32, in an order of its own, and is as far from its own integers as from ours. Both are rows.
* NNCF: the first convolution and those behind it, in f32 again, normalizations left beside them, with no integer kernels to
  ask for; the model's exact values are as far from its results as ours.
* MiniLM: norms and softmax, computed in f32 by both, both 4e-8 (rms) from the exact values (carried_rounding.py). ONNX
  Runtime on a CPU without VNNI, where its products of u8 and s8 saturate, is 5 dB from itself.
"""

import os

import numpy as np
import onnx
from onnx import helper
from onnxruntime import quantization as q

from evaluation import carried_minilm, carried_nncf, digits, peers
from evaluation.report import cosine, sqnr
from models import build, photographs

TYPES = {"U8S8": ("QUInt8", "QInt8"), "S8S8": ("QInt8", "QInt8"), "U8U8": ("QUInt8", "QUInt8")}
SUITE = "carried"


def prepare(model, opset, output):
    """Shapes inferred, BatchNormalization folded, at the given opset (13 to 21 mean the same for these operators)."""
    converted = output + ".opset.onnx"
    restated = onnx.load(model)
    restated.opset_import[0].version = opset
    onnx.checker.check_model(restated)
    onnx.save(restated, converted)
    q.quant_pre_process(converted, output, skip_symbolic_shape=True)
    return output


def quantize(prepared, output, calibration, form, types, per_channel):
    activation, weight = (q.QuantType[t] for t in TYPES[types])
    q.quantize_static(
        prepared,
        output,
        peers._Reader("image", calibration),
        quant_format=q.QuantFormat[form],
        per_channel=per_channel,
        activation_type=activation,
        weight_type=weight,
        extra_options={"ActivationSymmetric": types == "S8S8"},
    )
    return output


def cases(tools, name, model, calibration, short):
    """(case, path) of each quantized form of the model."""
    forms = [("QDQ", "U8S8", True, 13), ("QOperator", "U8S8", True, 13), ("QDQ", "S8S8", True, 21)]
    if not short:
        forms += [
            ("QDQ", "U8S8", False, 21),
            ("QDQ", "U8U8", False, 13),
            ("QOperator", "S8S8", False, 13),
            ("QOperator", "U8U8", False, 21),
        ]
    prepared = {opset: prepare(model, opset, tools.path(f"{name}-{opset}.onnx")) for opset in {f[3] for f in forms}}
    for form, types, per_channel, opset in forms:
        case = f"{name} {form} {types}{' per channel' if per_channel else ''} opset {opset}"
        path = tools.path(case.replace(" ", "-") + ".onnx")
        yield case, quantize(prepared[opset], path, calibration, form, types, per_channel)
    for weight in ("QInt8",) if short else ("QInt8", "QUInt8"):
        case = f"{name} dynamic {weight}"
        path = tools.path(case.replace(" ", "-") + ".onnx")
        q.quantize_dynamic(prepared[13], path, weight_type=q.QuantType[weight])
        yield case, path


def reference(path, samples, **options):
    session = peers.session(path, 1, **options)
    return np.concatenate([session.run(None, {"image": x[None]})[0] for x in samples])


def own_distance(measure, theirs, plain, ours, digits):
    """What stands beside a distance to ONNX Runtime: how far its own execution of the nodes as written is from it."""
    own, other = measure(theirs, plain), measure(plain, ours)
    return f"its own without optimizations {own:.{digits}f}, ours to that {other:.{digits}f}"


def exact_distance(tools, path, samples, theirs):
    """How far the model's exact values, each rounded once where the file rounds it, are from ONNX Runtime's (dB): who
    rounds floats in another order cannot expect to come closer."""
    program, folder = tools.compile(path, tools.path("exact.mlirbc"), "--stop-after=normalize"), tools.path("exact")
    np.savez(tools.path("exact.npz"), image=np.stack([x[None] for x in samples]))
    tools.run("q-run", "--interpret", program, "--exact-islands", "--data", tools.path("exact.npz"), "--output-dir", folder)
    exact = np.load(os.path.join(folder, "logits.npy")).reshape(theirs.shape)
    return f", the model's exact values to its {sqnr(theirs, exact):.1f}"


def same_decisions(one, other):
    return float(np.mean(np.argmax(one, -1) == np.argmax(other, -1)) * 100)


def carried(report, tools, case, path, samples):
    from qdialect import Model

    so = tools.compile(path, path[:-5] + ".so", "--fail-on-fallback", "--target-cpu=native")
    with Model(so) as m:
        totals = m.receipt["totals"]
        ours = np.concatenate([m.run(image=x[None])["logits"] for x in samples])
    theirs, plain = reference(path, samples), reference(path, samples, optimize=False)
    report.add(SUITE, case, "int_macs/total_macs", totals["int_macs"] / totals["total_macs"], (">=", 0.98))
    if "dynamic" in case:
        report.add(SUITE, case, "cosine to ONNX Runtime", cosine(theirs, ours), (">=", 0.9999),
                   own_distance(cosine, theirs, plain, ours, 6))
        report.add(SUITE, case, "top-1 identical %", same_decisions(theirs, ours), (">=", 98.5),
                   f"its own without optimizations {same_decisions(theirs, plain):.1f}")
        return
    integers = reference(path, samples, integers=True)
    # A file's integers, where ONNX Runtime has kernels for them that it does not use unasked.
    asked = not np.array_equal(theirs, integers)
    distance, beside = sqnr(theirs, ours), own_distance(sqnr, theirs, plain, ours, 1)
    decisions = f"its own without optimizations {same_decisions(theirs, plain):.1f}"
    if asked:
        report.add(SUITE, case, "SQNR dB to ONNX Runtime in integers", sqnr(integers, ours), (">=", 35))
        report.add(SUITE, case, "top-1 identical %, in integers", same_decisions(integers, ours), (">=", 98.5))
        beside += f", its own in integers {sqnr(theirs, integers):.1f}"
        decisions += f", in integers {same_decisions(theirs, integers):.1f}"
    elif distance < 35:
        beside += exact_distance(tools, path, samples[:8], theirs[:8])
    report.add(SUITE, case, "SQNR dB to ONNX Runtime", distance, (">=", 35), beside)
    report.add(SUITE, case, "top-1 identical %", same_decisions(theirs, ours), (">=", 98.5),
               decisions)


def islands(model):
    """The layers of a model as lists of nodes that end in codes: a QLinear operator, or a QuantizeLinear with everything up
    to the casts it depends on."""
    constants = {init.name for init in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type.startswith("QLinear") or node.op_type == "QGemm":
            yield [node]
        if node.op_type != "QuantizeLinear":
            continue
        found, work = [node], [node.input[0]]
        while work:
            name = work.pop()
            maker = makers.get(name)
            if not name or name in constants or maker in found:
                continue
            if maker is None or len(found) > 12:
                break
            found.append(maker)
            if maker.op_type != "DequantizeLinear":
                work += maker.input
        # What only casts is no layer; what reads the model's input has no codes.
        if not work and any(n.op_type not in ("QuantizeLinear", "DequantizeLinear") for n in found):
            yield found[::-1]


def free_inputs(nodes, constants):
    made = {name for node in nodes for name in node.output}
    return sorted({name for node in nodes for name in node.input if name} - made - constants)


def sort_nodes(nodes):
    """In an order in which each comes behind what it reads."""
    done, left = [], list(nodes)
    while left:
        made = {name for node in left for name in node.output}
        ready = [node for node in left if not made & set(node.input)]
        done += ready
        left = [node for node in left if node not in ready]
    return done


def layers(report, tools, case, path, feeds):
    """Every layer alone, on ONNX Runtime's inputs to it. `feeds`: the inputs of each run."""
    model = onnx.load(path)
    constants = {init.name for init in model.graph.initializer}
    found = [sort_nodes(nodes) for nodes in islands(model)]
    if not found:
        return
    results = [nodes[-1].output[0] for nodes in found]
    given = set(feeds[0])
    wanted = sorted({name for nodes in found for name in free_inputs(nodes, constants)} - given | set(results))
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in wanted)
    session = peers.session(probe.SerializeToString(), 1, optimize=False)
    runs = [{**feed, **dict(zip(wanted, session.run(None, feed)))} for feed in feeds]
    worst, equal, total = 0, 0, 0
    for number, (nodes, result) in enumerate(zip(found, results)):
        values = {name: np.stack([run[name] for run in runs]) for name in free_inputs(nodes, constants)}
        if not values:
            continue
        graph = helper.make_graph(
            nodes,
            "layer",
            [
                helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape[1:])
                for n, v in values.items()
            ],
            [helper.make_empty_tensor_value_info(result)],
            [init for init in model.graph.initializer if any(init.name in node.input for node in nodes)],
        )
        layer = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        layer_path, folder = tools.path(f"layer{number}.onnx"), tools.path(f"layer{number}")
        onnx.save(layer, layer_path)
        np.savez(tools.path("layer.npz"), **values)
        program = tools.compile(layer_path, tools.path("layer.mlir"), "--stop-after=integerize")
        tools.run("q-run", "--interpret", program, "--data", tools.path("layer.npz"), "--output-dir", folder)
        ours = np.load(os.path.join(folder, result.replace("/", "_") + ".npy")).astype(np.int32)
        theirs = np.stack([run[result] for run in runs]).astype(np.int32)
        difference = np.abs(ours.reshape(theirs.shape) - theirs)
        worst, equal, total = max(worst, int(difference.max())), equal + int(np.sum(difference == 0)), total + theirs.size
    report.add(SUITE, case, "layers: largest difference in steps", worst, ("<=", 1))
    report.add(SUITE, case, "layers: equal codes %", 100 * equal / total, (">=", 99.9), f"{len(found)} layers")


def evaluate(report, tools):
    images, _ = digits.test_set()
    short = tools.quick
    suites = [("digits", digits.MODEL, np.load(digits.CALIBRATION)["image"].astype(np.float32)[:64], images[:200], False)]
    if not short:
        crops = photographs.evaluation(192)
        calibration = photographs.calibration()[:16]
        for name in ("resnet50", "efficientnet-lite0"):
            suites.append((name, build.cached(name), calibration, crops, True))
    for name, model, calibration, samples, few in suites:
        found = list(cases(tools, name, model, calibration, few))
        if carried_nncf.is_there() and name != "resnet50":
            found += carried_nncf.image_cases(tools, name, model, calibration)
        for case, path in found:
            carried(report, tools, case, path, samples)
            if "dynamic" not in case:
                layers(report, tools, case, path, [{"image": x[None]} for x in samples[: 2 if few or short else 16]])
    if not short:
        carried_minilm.evaluate(report, tools)
