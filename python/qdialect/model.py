# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run a compiled model (.so) in this process: the C ABI of its model.h through ctypes."""

import ctypes as c
import json
import os
import weakref

import numpy as np

DTYPES = [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16,
          np.uint16, np.float32, np.float64]  # by qd_dtype; numpy has no bfloat16: its bits
ABI_VERSION = 7


SHAPE_MISMATCH = 6
DEVICE_FAILURE = 8


class ModelError(RuntimeError):
    """A status other than QD_OK, or an input that does not fit the model."""


class _TensorInfo(c.Structure):
    _fields_ = [("name", c.c_char_p), ("dtype", c.c_int32), ("rank", c.c_int32), ("dims", c.POINTER(c.c_int64)),
                ("bytes", c.c_uint64), ("dim_names", c.POINTER(c.c_char_p)), ("codes", c.c_char_p)]


class _Symbol(c.Structure):
    _fields_ = [("name", c.c_char_p), ("low", c.c_int64), ("high", c.c_int64), ("step", c.c_int64),
                ("computed", c.c_int32)]


class _Info(c.Structure):
    _fields_ = [("abi_version", c.c_uint32), ("alignment", c.c_uint32), ("prefix", c.c_char_p),
                ("num_inputs", c.c_uint32), ("num_outputs", c.c_uint32), ("num_steps", c.c_uint32),
                ("num_variants", c.c_uint32), ("inputs", c.POINTER(_TensorInfo)), ("outputs", c.POINTER(_TensorInfo)),
                ("step_names", c.POINTER(c.c_char_p)), ("variants", c.POINTER(c.c_char_p)), ("receipt", c.c_char_p),
                ("receipt_size", c.c_uint64), ("scratch_bytes", c.c_uint64), ("weights_bytes", c.c_uint64),
                ("num_symbols", c.c_uint32), ("symbols", c.POINTER(_Symbol))]


class _Options(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("threads", c.c_int32), ("profile", c.c_int32), ("variant", c.c_char_p),
                ("device", c.c_void_p), ("error", c.c_char_p), ("error_bytes", c.c_uint64)]


class TensorInfo:
    """Name, numpy dtype and shape of one input or output; a symbolic size is its name. `codes`: what each byte is a code
    of ("int4"), None where the dtype says all."""

    def __init__(self, raw):
        self.name = raw.name.decode()
        self.dtype = np.dtype(DTYPES[raw.dtype])
        self.codes = raw.codes.decode() if raw.codes else None
        self.shape = tuple(raw.dim_names[i].decode() if raw.dims[i] < 0 else raw.dims[i] for i in range(raw.rank))

    def fits(self, array):
        return (array.dtype == self.dtype and array.ndim == len(self.shape)
                and all(isinstance(want, str) or want == got
                        for want, got in zip(self.shape, array.shape, strict=True)))


class Model:
    """One instance of a compiled model.

    threads: 0 takes every CPU; variant: None takes the best one, else "avx512amx", "avx512vnni", "avx2", "scalar".
    run(inputs) takes arrays by input name (or positionally) and returns a dict of arrays by output name. Symbolic
    sizes (`symbols`: name -> (low, high), `steps`: name -> what they must be multiples of) follow from the arrays of
    each call; sizes that the model computes from data are those of the arrays that run returns.
    """

    def __init__(self, path, threads=0, variant=None, prefix="qd_model"):
        self._lib = c.CDLL(os.path.abspath(path))  # a bare name would be looked for in the library path alone
        self._call = {}
        for name, result in (("info", c.POINTER(_Info)), ("create", c.c_int), ("run", c.c_int), ("destroy", None),
                             ("run_dims", c.c_int), ("output_dims", c.c_int), ("error", c.c_char_p),
                             ("result", c.c_void_p), ("variant", c.c_char_p), ("status_string", c.c_char_p)):
            function = getattr(self._lib, f"{prefix}_{name}")
            function.restype = result
            self._call[name] = function
        info = self._call["info"]().contents
        if info.abi_version != ABI_VERSION:
            raise ModelError(f"{path}: ABI version {info.abi_version}, this package reads {ABI_VERSION}")
        self.inputs = [TensorInfo(info.inputs[i]) for i in range(info.num_inputs)]
        self.outputs = [TensorInfo(info.outputs[i]) for i in range(info.num_outputs)]
        self.variants = [info.variants[i].decode() for i in range(info.num_variants)]
        symbols = [info.symbols[i] for i in range(info.num_symbols)]
        self.symbols = {s.name.decode(): (s.low, s.high) for s in symbols if not s.computed}
        self.steps = {s.name.decode(): s.step for s in symbols if not s.computed}
        self._is_dynamic = bool(symbols)
        self.receipt = json.loads(info.receipt)
        why = c.create_string_buffer(512)
        options = _Options(c.sizeof(_Options), threads, 0, variant.encode() if variant else None, None,
                           c.cast(why, c.c_char_p), len(why))
        self._handle = c.c_void_p()
        if self._call["create"](c.byref(options), c.byref(self._handle)):
            raise ModelError(f"{path}: create: {why.value.decode()}")
        self._finalizer = weakref.finalize(self, self._call["destroy"], self._handle)
        self.variant = self._call["variant"](self._handle).decode()

    def _check(self, status, what):
        if status in (SHAPE_MISMATCH, DEVICE_FAILURE) and self._handle:
            raise ModelError(f"{what}: {self._call['error'](self._handle).decode()}")
        if status:
            raise ModelError(f"{what}: {self._call['status_string'](status).decode()}")

    def run(self, *args, **named):
        arrays = list(args) + [None] * (len(self.inputs) - len(args))
        for i, info in enumerate(self.inputs):
            value = named.get(info.name) if arrays[i] is None else arrays[i]
            if value is None:
                raise ModelError(f"input '{info.name}' is missing")
            arrays[i] = np.asarray(value, order="C")  # ascontiguousarray would give scalars a dimension
            if not info.fits(arrays[i]):
                raise ModelError(f"input '{info.name}' is {arrays[i].dtype}{list(arrays[i].shape)}, "
                                 f"the model wants {info.dtype}{list(info.shape)}")
        if not self._is_dynamic:
            out = [np.empty(info.shape, info.dtype) for info in self.outputs]
            self._check(self._call["run"](self._handle, self._pointers(arrays), self._pointers(out)), "run")
        else:
            dims, made = self._dims([a.shape for a in arrays]), [(c.c_int64 * len(o.shape))() for o in self.outputs]
            targets = (c.c_void_p * len(made))(*[c.addressof(m) for m in made])
            self._check(self._call["output_dims"](self._handle, dims, targets), "run")
            computed = [-1 in m for m in made]
            out = [np.empty(() if own else tuple(m), info.dtype)
                   for own, m, info in zip(computed, made, self.outputs, strict=True)]
            self._check(self._call["run_dims"](self._handle, self._pointers(arrays), dims, self._pointers(out)), "run")
            out = [self._computed(i) if own else array for i, (own, array) in enumerate(zip(computed, out, strict=True))]
        return {info.name: array for info, array in zip(self.outputs, out, strict=True)}

    def _computed(self, index):
        """A copy of an output whose size the last run computed."""
        info = self.outputs[index]
        dims = (c.c_int64 * len(info.shape))()
        data = self._call["result"](self._handle, index, dims)
        array = np.empty(tuple(dims), info.dtype)
        c.memmove(array.ctypes.data, data, array.nbytes)
        return array

    @staticmethod
    def _dims(shapes):
        arrays = [(c.c_int64 * max(len(shape), 1))(*shape) for shape in shapes]
        result = (c.c_void_p * len(arrays))(*[c.addressof(a) for a in arrays])
        result.kept = arrays
        return result

    @staticmethod
    def _pointers(arrays):
        return (c.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])

    def close(self):
        """Ends the instance's threads and frees its memory; so does the end of the object itself."""
        if self._handle:
            self._finalizer()
            self._handle = c.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
