// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sequences evaluated on floats. `evaluate` is compiled twice where the CPU
// may lack fma: with it the loops vectorise, without it std::fma calls libm;
// the operations are the same, so are the bits.
#include "QDialect/Numerics/FloatFunctions.h"

#if defined(__x86_64__) && !defined(__FMA__)
#define QDIALECT_FMA_CLONES                                                    \
  __attribute__((target_clones("arch=haswell", "default")))
#else
#define QDIALECT_FMA_CLONES
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

/// One loop a function, so that each vectorises without a switch inside.
#define QDIALECT_ARRAY_FORM(name)                                              \
  QDIALECT_FMA_CLONES                                                          \
  static void name##Array(const float *x, float *y, int64_t n) {               \
    ScalarOps o;                                                               \
    for (int64_t i = 0; i < n; ++i)                                            \
      y[i] = sequences::name(o, x[i]);                                         \
  }

QDIALECT_ARRAY_FORM(exp)
QDIALECT_ARRAY_FORM(log)
QDIALECT_ARRAY_FORM(erf)
QDIALECT_ARRAY_FORM(tanh)
QDIALECT_ARRAY_FORM(sigmoid)
QDIALECT_ARRAY_FORM(rsqrt)
QDIALECT_ARRAY_FORM(silu)
QDIALECT_ARRAY_FORM(gelu)
QDIALECT_ARRAY_FORM(geluTanh)

void evaluate(FloatFunction function, const float *x, float *y, int64_t n) {
  switch (function) {
  case FloatFunction::Exp:
    return expArray(x, y, n);
  case FloatFunction::Log:
    return logArray(x, y, n);
  case FloatFunction::Erf:
    return erfArray(x, y, n);
  case FloatFunction::Tanh:
    return tanhArray(x, y, n);
  case FloatFunction::Sigmoid:
    return sigmoidArray(x, y, n);
  case FloatFunction::Rsqrt:
    return rsqrtArray(x, y, n);
  case FloatFunction::Silu:
    return siluArray(x, y, n);
  case FloatFunction::Gelu:
    return geluArray(x, y, n);
  case FloatFunction::GeluTanh:
    return geluTanhArray(x, y, n);
  }
}

} // namespace qdialect
