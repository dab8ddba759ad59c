# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Read a pre-1.6 torch.save state dict without torch, allowing no code to run.

load(path) -> {name: numpy array}. Raises pickle.UnpicklingError on any class but plain tensors.
"""
import collections
import pickle
import struct

import numpy as np

STORAGES = {
    "FloatStorage": np.float32, "HalfStorage": np.float16, "DoubleStorage": np.float64,
    "LongStorage": np.int64, "IntStorage": np.int32, "ByteStorage": np.uint8, "BoolStorage": np.bool_,
}
Tensor = collections.namedtuple("Tensor", "key offset size stride")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda key, offset, size, stride, *rest: Tensor(key, offset, size, stride)
        if module == "torch" and name in STORAGES:
            return name
        raise pickle.UnpicklingError(f"refused class {module}.{name}")

    def persistent_load(self, pid):
        _, storage, key, _, count, view = pid[:6]
        if pid[0] != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unexpected persistent id {pid!r}")
        self.storages[key] = (np.dtype(STORAGES[storage]), count)
        return key


def load(path):
    with open(path, "rb") as f:
        if pickle.load(f) != 0x1950A86A20F9469CFC6C or pickle.load(f) != 1001:
            raise ValueError(f"{path}: not a legacy torch file")
        pickle.load(f)
        storages = {}
        tensors = _Unpickler(f, storages).load()
        data = {}
        for key in _Unpickler(f, storages).load():
            dtype, count = storages[key]
            (stored,) = struct.unpack("<q", f.read(8))
            if stored != count:
                raise ValueError(f"{path}: storage {key} has {stored} elements, expected {count}")
            data[key] = np.frombuffer(f.read(count * dtype.itemsize), dtype)
    out = {}
    for name, t in tensors.items():
        a = data[t.key]
        out[name] = np.lib.stride_tricks.as_strided(a[t.offset:], t.size, [s * a.itemsize for s in t.stride]).copy()
    return out
