# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The few layers that the digits CNN needs, with their gradients, in numpy (NCHW, float32).

Each layer has forward(x, train), backward(grad) and `params`: a list of [value, gradient] pairs that an optimizer
steps. Convolution is im2col; nothing here is meant to be fast beyond training a model of 60,000 weights in minutes.
"""

import numpy as np


def windows(x, k, stride, pad):
    """View x as [N, C, OH, OW, k, k] after zero padding."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    w = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    return w[:, :, ::stride, ::stride]


class Conv:
    """k x k convolution without bias; groups is 1 or the channel count (depthwise)."""

    def __init__(self, rng, cin, cout, k, stride=1, depthwise=False):
        fan_in = k * k * (1 if depthwise else cin)
        shape = (cout, 1 if depthwise else cin, k, k)
        self.w = (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)
        self.k, self.stride, self.depthwise = k, stride, depthwise
        self.params = [[self.w, np.zeros_like(self.w)]]

    def forward(self, x, train):
        self.shape = x.shape
        self.cols = windows(x, self.k, self.stride, self.k // 2)
        if self.depthwise:
            return np.einsum("nchwij,cij->nchw", self.cols, self.w[:, 0], optimize=True)
        n, c, h, w = self.cols.shape[:4]
        cols = np.ascontiguousarray(self.cols.transpose(0, 2, 3, 1, 4, 5)).reshape(n * h * w, -1)
        self.flat = cols
        out = cols @ self.w.reshape(len(self.w), -1).T
        return np.ascontiguousarray(out.reshape(n, h, w, -1).transpose(0, 3, 1, 2))

    def backward(self, grad):
        n, _, oh, ow = grad.shape
        p, k, s = self.k // 2, self.k, self.stride
        dx = np.zeros((self.shape[0], self.shape[1], self.shape[2] + 2 * p, self.shape[3] + 2 * p), np.float32)
        if self.depthwise:
            self.params[0][1][:, 0] = np.einsum("nchwij,nchw->cij", self.cols, grad, optimize=True)
            for i in range(k):
                for j in range(k):
                    dx[:, :, i : i + s * oh : s, j : j + s * ow : s] += grad * self.w[None, :, 0, i, j, None, None]
        else:
            g = grad.transpose(0, 2, 3, 1).reshape(n * oh * ow, -1)
            self.params[0][1][...] = (g.T @ self.flat).reshape(self.w.shape)
            cols = (g @ self.w.reshape(len(self.w), -1)).reshape(n, oh, ow, self.shape[1], k, k)
            for i in range(k):
                for j in range(k):
                    dx[:, :, i : i + s * oh : s, j : j + s * ow : s] += cols[..., i, j].transpose(0, 3, 1, 2)
        return dx[:, :, p : p + self.shape[2], p : p + self.shape[3]]


class BatchNorm:
    """Per-channel batch normalization with running statistics."""

    def __init__(self, channels, momentum=0.9, eps=1e-3):
        self.gain, self.bias = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.mean, self.var = np.zeros(channels, np.float32), np.ones(channels, np.float32)
        self.momentum, self.eps = momentum, eps
        self.params = [[self.gain, np.zeros_like(self.gain)], [self.bias, np.zeros_like(self.bias)]]

    def forward(self, x, train):
        if train:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.mean += (1 - self.momentum) * (mean - self.mean)
            self.var += (1 - self.momentum) * (var - self.var)
        else:
            mean, var = self.mean, self.var
        self.inv = (1 / np.sqrt(var + self.eps)).astype(np.float32)
        self.norm = (x - mean[:, None, None]) * self.inv[:, None, None]
        return self.norm * self.gain[:, None, None] + self.bias[:, None, None]

    def backward(self, grad):
        self.params[0][1][...] = (grad * self.norm).sum((0, 2, 3))
        self.params[1][1][...] = grad.sum((0, 2, 3))
        count = grad.size // grad.shape[1]
        g = grad * self.gain[:, None, None]
        mean_g = g.sum((0, 2, 3), keepdims=True) / count
        mean_gn = (g * self.norm).sum((0, 2, 3), keepdims=True) / count
        return ((g - mean_g - self.norm * mean_gn) * self.inv[:, None, None]).astype(np.float32)


class Relu:
    params = []

    def forward(self, x, train):
        self.mask = x > 0
        return x * self.mask

    def backward(self, grad):
        return grad * self.mask


class MaxPool2:
    """2 x 2 max pool, stride 2; the gradient goes to the first maximum."""

    params = []

    def forward(self, x, train):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.argmax = blocks.argmax(-1)
        self.shape = x.shape
        return np.take_along_axis(blocks, self.argmax[..., None], -1)[..., 0]

    def backward(self, grad):
        n, c, h, w = self.shape
        blocks = np.zeros((n, c, h // 2, w // 2, 4), np.float32)
        np.put_along_axis(blocks, self.argmax[..., None], grad[..., None], -1)
        return blocks.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


class GlobalAveragePool:
    params = []

    def forward(self, x, train):
        self.shape = x.shape
        return x.mean((2, 3))

    def backward(self, grad):
        n, c, h, w = self.shape
        return np.broadcast_to(grad[:, :, None, None] / (h * w), self.shape).astype(np.float32)


class Linear:
    def __init__(self, rng, cin, cout):
        self.w = (rng.standard_normal((cout, cin)) * np.sqrt(1 / cin)).astype(np.float32)
        self.b = np.zeros(cout, np.float32)
        self.params = [[self.w, np.zeros_like(self.w)], [self.b, np.zeros_like(self.b)]]

    def forward(self, x, train):
        self.x = x
        return x @ self.w.T + self.b

    def backward(self, grad):
        self.params[0][1][...] = grad.T @ self.x
        self.params[1][1][...] = grad.sum(0)
        return grad @ self.w


class Residual:
    """relu(x + body(x))."""

    def __init__(self, *body):
        self.body, self.relu = body, Relu()
        self.params = [p for layer in body for p in layer.params]

    def forward(self, x, train):
        y = x
        for layer in self.body:
            y = layer.forward(y, train)
        return self.relu.forward(x + y, train)

    def backward(self, grad):
        grad = self.relu.backward(grad)
        g = grad
        for layer in reversed(self.body):
            g = layer.backward(g)
        return grad + g
