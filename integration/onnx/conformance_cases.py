# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cases of onnx.backend.test, and how one is run and judged."""

import glob
import json
import os
import re
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import onnx
import onnx.version_converter
from onnx import numpy_helper

DATA = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
# "input shape ('s') must be a constant known at compile time"
WANTS_CONSTANT = re.compile(r"\('([^']+)'\) must be (?:a constant|one number) known at compile time")


@dataclass
class Case:
    name: str
    folder: str
    model: str  # path
    rtol: float = 1e-3
    atol: float = 1e-7
    operator: str = "?"


@dataclass
class Outcome:
    passed: bool
    message: str = ""
    frozen: bool = False  # passed with graph inputs as constants


class NotTensors(Exception):
    """Inputs or outputs that are sequences, maps or optionals."""


def operator_of(folder, name, model):
    if folder != "node":
        return folder
    if re.search(r"_expanded(_|$)", name):
        return "(functions, expanded)"
    nodes = {f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in model.graph.node}
    return next(iter(nodes)) if len(nodes) == 1 else "(several operators)"


def load(folder):
    root, found = os.path.join(DATA, folder), []
    if folder == "light":
        return [Case(f"light_{os.path.basename(p)[6:-5]}", folder, p, operator=folder)
                for p in sorted(glob.glob(os.path.join(root, "*.onnx")))]
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name, "model.onnx")
        if not os.path.exists(path):
            continue
        case = Case(name, folder, path, operator=operator_of(folder, name, onnx.load(path)))
        limits = os.path.join(root, name, "data.json")
        if os.path.exists(limits):
            with open(limits) as file:
                data = json.load(file)
            case.rtol, case.atol = data.get("rtol", case.rtol), data.get("atol", case.atol)
        found.append(case)
    return found


def read_tensor(path, info):
    if not info.type.HasField("tensor_type"):
        raise NotTensors(f"'{info.name}' is no tensor")
    proto = onnx.TensorProto()
    with open(path, "rb") as file:
        proto.ParseFromString(file.read())
    return numpy_helper.to_array(proto)


def data_sets(case, model):
    """Yields (inputs by name, outputs)."""
    initializers = {i.name for i in model.graph.initializer}
    wanted = [i for i in model.graph.input if i.name not in initializers]
    if case.folder == "light":
        # What onnx.backend.test.runner feeds: a ramp, with every open dimension 1.
        feeds = {}
        for info in wanted:
            shape = [d.dim_value or 1 for d in info.type.tensor_type.shape.dim]
            count = int(np.prod(shape))
            feeds[info.name] = (np.arange(count).reshape(shape) / count).astype(np.float32)
        yield feeds, [read_tensor(f"{case.model[:-5]}_output_{i}.pb", o) for i, o in enumerate(model.graph.output)]
        return
    for folder in sorted(glob.glob(os.path.join(os.path.dirname(case.model), "test_data_set_*"))):
        # Some stored sets leave optional trailing inputs out.
        have = [i for k, i in enumerate(wanted) if os.path.exists(os.path.join(folder, f"input_{k}.pb"))]
        feeds = {i.name: read_tensor(os.path.join(folder, f"input_{k}.pb"), i) for k, i in enumerate(have)}
        yield feeds, [read_tensor(os.path.join(folder, f"output_{k}.pb"), o) for k, o in enumerate(model.graph.output)]


def host_form(array):
    """The array as q-batch reads it: codes that numpy has no type for as integers one a byte, bfloat16 as its bits."""
    if array.dtype in (ml_dtypes.int4, ml_dtypes.int2):
        return array.astype(np.int8)
    if array.dtype in (ml_dtypes.uint4, ml_dtypes.uint2):
        return array.astype(np.uint8)
    if array.dtype == ml_dtypes.bfloat16:
        return array.view(np.uint16)
    return array.view(np.uint8) if is_small_float(array.dtype) else array


def is_small_float(dtype):
    """float8e4m3fn, float4e2m1, ...: one code a byte."""
    integers = (ml_dtypes.int4, ml_dtypes.int2, ml_dtypes.uint4, ml_dtypes.uint2)
    return dtype.itemsize == 1 and dtype.kind not in "biu" and dtype not in integers


def disagreement(ours, theirs, case):
    """Empty, or what differs. Stored bfloat16 comes back as float32, small floats as codes."""
    if theirs.dtype == ml_dtypes.bfloat16:
        theirs = theirs.astype(np.float32)
    elif is_small_float(theirs.dtype) and ours.dtype == np.uint8:
        # Codes stand for numbers: NaN has several, and -0 is 0.
        ours, theirs = ours.view(theirs.dtype).astype(np.float32), theirs.astype(np.float32)
        if ours.shape == theirs.shape:
            wrong = int(np.count_nonzero((ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs))))
            return f"{wrong} of {ours.size} elements differ" if wrong else ""
    theirs = host_form(theirs)
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.dtype}{list(ours.shape)} instead of {theirs.dtype}{list(theirs.shape)}"
    if ours.dtype.kind != "f":
        wrong = int(np.count_nonzero(ours != theirs))
        return f"{wrong} of {ours.size} elements differ" if wrong else ""
    if np.allclose(ours.astype(np.float64), theirs.astype(np.float64), case.rtol, case.atol, equal_nan=True):
        return ""
    with np.errstate(all="ignore"):
        return f"values differ by up to {np.nanmax(np.abs(ours.astype(np.float64) - theirs.astype(np.float64))):.3g}"


def dimensions(model, feeds):
    """Values of the open dimensions of the inputs, as --dim takes them."""
    found = []
    for info in model.graph.input:
        if info.name not in feeds:
            continue
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and feeds[info.name].shape[axis] > 0:
                found.append(f"{info.name}:{axis}={feeds[info.name].shape[axis]}")
    return found


def upgraded(model):
    """The importer begins with opset 7; what is older goes through the ONNX project's own converter."""
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if versions and versions[0] < 7:
        return onnx.version_converter.convert_version(model, 7)
    return model


def freeze(model, feeds, names):
    """The model with these inputs as initializers."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for name in names:
        del_index = next(i for i, v in enumerate(fixed.graph.input) if v.name == name)
        del fixed.graph.input[del_index]
        fixed.graph.initializer.append(numpy_helper.from_array(feeds[name], name))
    return fixed


def wanted_constants(feeds, name, frozen):
    """The inputs to fix so that value `name` is known: itself, or what sizes may be computed from."""
    if name in feeds:
        return [] if name in frozen else [name]
    return [k for k, v in feeds.items() if k not in frozen and (v.ndim == 0 or v.dtype.kind == "i" and v.ndim == 1)]


def attempt(case, model, feeds, mode, worker, folder, frozen):
    """q-batch's answer for one data set with the inputs in `frozen` as constants."""
    path = os.path.join(folder, "model.onnx")
    with open(path, "wb") as file:
        file.write(freeze(model, feeds, frozen).SerializeToString())
    files = {}
    for index, (name, array) in enumerate(feeds.items()):
        files[name] = os.path.join(folder, f"in{index}.npy")
        np.save(files[name], host_form(np.asarray(array)))
    return worker.run({"model": path, "mode": mode, "inputs": files, "outputs": folder,
                       "dims": dimensions(model, feeds)})


def run(case, mode, worker, folder):
    try:
        model, frozen = upgraded(onnx.load(case.model)), []
        for feeds, wanted in data_sets(case, model):
            answer = attempt(case, model, feeds, mode, worker, folder, frozen)
            while not answer["ok"]:
                match = WANTS_CONSTANT.search(answer["error"])
                more = []
                if match or answer["stage"] == "import":  # a size that is computed does not go everywhere
                    more = wanted_constants(feeds, match[1] if match else "", frozen)
                if not more:
                    error = re.sub(r"\S*model\.onnx: ", "", answer["error"])
                    return Outcome(False, f"{answer['stage']}: {error[:400]}")
                frozen += more
                answer = attempt(case, model, feeds, mode, worker, folder, frozen)
            ours = [np.load(os.path.join(folder, name)) for name in answer["outputs"]]
            problems = [text for a, b in zip(ours, wanted, strict=True) if (text := disagreement(a, b, case))]
            if problems:
                return Outcome(False, f"result: {'; '.join(problems)}")
        return Outcome(True, frozen=bool(frozen))
    except NotTensors as what:
        return Outcome(False, f"harness: {what}")
    except Exception as what:  # a case that cannot even be read must not end the run
        return Outcome(False, f"harness: {what!r}")
