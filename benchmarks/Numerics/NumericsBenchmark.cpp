// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Speed of the reference kernels (items a second are multiply-accumulates; the
// interpreter needs 0.2e9) and of the float functions (elements a second).
#include "QDialect/Numerics/FloatFunctions.h"
#include "QDialect/Numerics/ReferenceKernels.h"

#include "benchmark/benchmark.h"

#include <vector>

using namespace qdialect;

template <typename Lhs, typename Rhs, typename Acc>
static void runLoops(benchmark::State &state, const std::vector<LoopDim> &loops,
                     int64_t lhsSize, int64_t rhsSize, int64_t outSize) {
  std::vector<Lhs> lhs(static_cast<size_t>(lhsSize), Lhs(3));
  std::vector<Rhs> rhs(static_cast<size_t>(rhsSize), Rhs(2));
  std::vector<Acc> out(static_cast<size_t>(outSize));
  int64_t macs = 1;
  for (const LoopDim &loop : loops)
    macs *= loop.size;
  for (auto _ : state) {
    contract(loops, lhs.data(), rhs.data(), out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * macs);
}

template <typename T, typename Acc>
static void matmul(benchmark::State &state) {
  int64_t m = 64, n = 256, k = 1024;
  runLoops<T, T, Acc>(state, matmulLoops(MatmulShape::dense(1, m, n, k)), m * k,
                      k * n, m * n);
}
BENCHMARK(matmul<int8_t, int32_t>);
BENCHMARK(matmul<float, float>);
BENCHMARK(matmul<double, double>);

template <typename T, typename Acc>
static void conv(benchmark::State &state) {
  ConvShape shape;
  shape.inSpatial = {16, 16};
  shape.kernel = {3, 3};
  shape.inChannels = shape.outChannels = 128;
  shape.groups = state.range(0);
  runLoops<T, T, Acc>(state, convLoops(shape), 16 * 16 * 128,
                      9 * 128 * 128 / shape.groups, 14 * 14 * 128);
}
BENCHMARK(conv<int8_t, int32_t>)->Arg(1)->Arg(128);
BENCHMARK(conv<float, float>)->Arg(1)->Arg(128);

static void function(benchmark::State &state) {
  std::vector<float> x(4096), y(4096);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = 0.001f * static_cast<float>(i) - 2.0f;
  for (auto _ : state) {
    evaluate(static_cast<FloatFunction>(state.range(0)), x.data(), y.data(),
             4096);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(function)
    ->ArgName("FloatFunction")
    ->DenseRange(0, static_cast<int>(FloatFunction::GeluTanh));

BENCHMARK_MAIN();
