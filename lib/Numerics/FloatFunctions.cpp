// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sequences evaluated on floats. The array forms are compiled a second time
// for CPUs with fma, where the loops vectorise; elsewhere std::fma calls libm.
// The operations are the same, so are the bits.
#include "QDialect/Numerics/FloatFunctions.h"

// `flatten` inlines the sequence, or it would stay code without fma.
#if defined(__x86_64__)
#define QDIALECT_FMA __attribute__((flatten, target("avx2,fma")))
static bool hasFma() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
#define QDIALECT_FMA __attribute__((flatten))
static bool hasFma() { return true; }
#endif

namespace qdialect {

float expF32(float x) {
  ScalarOps o;
  return sequences::exp(o, x);
}

float logF32(float x) {
  ScalarOps o;
  return sequences::log(o, x);
}

float log1pF32(float x) {
  ScalarOps o;
  return sequences::log1p(o, x);
}

float erfF32(float x) {
  ScalarOps o;
  return sequences::erf(o, x);
}

float tanhF32(float x) {
  ScalarOps o;
  return sequences::tanh(o, x);
}

float sigmoidF32(float x) {
  ScalarOps o;
  return sequences::sigmoid(o, x);
}

float rsqrtF32(float x) {
  ScalarOps o;
  return sequences::rsqrt(o, x);
}

float siluF32(float x) {
  ScalarOps o;
  return sequences::silu(o, x);
}

float geluF32(float x) {
  ScalarOps o;
  return sequences::gelu(o, x);
}

float geluTanhF32(float x) {
  ScalarOps o;
  return sequences::geluTanh(o, x);
}

template <typename Function>
QDIALECT_FMA static void loopWithFma(Function function, const float *x,
                                     float *y, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    y[i] = function(x[i]);
}

template <typename Function>
static void loopBaseline(Function function, const float *x, float *y,
                         int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    y[i] = function(x[i]);
}

/// `function` is a lambda, so each has its own loop to vectorise.
template <typename Function>
static void loop(Function function, const float *x, float *y, int64_t n) {
  if (hasFma())
    loopWithFma(function, x, y, n);
  else
    loopBaseline(function, x, y, n);
}

void evaluate(FloatFunction function, const float *x, float *y, int64_t n) {
  ScalarOps o;
  switch (function) {
  case FloatFunction::Exp:
    return loop([&](float v) { return sequences::exp(o, v); }, x, y, n);
  case FloatFunction::Log:
    return loop([&](float v) { return sequences::log(o, v); }, x, y, n);
  case FloatFunction::Log1p:
    return loop([&](float v) { return sequences::log1p(o, v); }, x, y, n);
  case FloatFunction::Erf:
    return loop([&](float v) { return sequences::erf(o, v); }, x, y, n);
  case FloatFunction::Tanh:
    return loop([&](float v) { return sequences::tanh(o, v); }, x, y, n);
  case FloatFunction::Sigmoid:
    return loop([&](float v) { return sequences::sigmoid(o, v); }, x, y, n);
  case FloatFunction::Rsqrt:
    return loop([&](float v) { return sequences::rsqrt(o, v); }, x, y, n);
  case FloatFunction::Silu:
    return loop([&](float v) { return sequences::silu(o, v); }, x, y, n);
  case FloatFunction::Gelu:
    return loop([&](float v) { return sequences::gelu(o, v); }, x, y, n);
  case FloatFunction::GeluTanh:
    return loop([&](float v) { return sequences::geluTanh(o, v); }, x, y, n);
  }
}

} // namespace qdialect
