// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What scripts/bench gpu compares with: microseconds of cuBLASLt for products
// of int8 codes that end in int8 codes,
//
//   cublas ROWSxDEPTHxCOLUMNS ...
//
// and what the GPU can do at most: bytes a second of its memory, and int8
// multiply-accumulates a second of a large product. A line of JSON.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cublasLt.h>
#include <cuda_runtime.h>

#define CHECK(call)                                                            \
  do {                                                                         \
    if (auto status = (call)) {                                                \
      std::fprintf(stderr, "%s: error %d\n", #call, static_cast<int>(status)); \
      std::exit(1);                                                            \
    }                                                                          \
  } while (false)

/// The shortest of some rounds, microseconds for one of their calls.
template <typename Work>
static double measure(Work work) {
  constexpr int kRounds = 10, kCalls = 20;
  cudaEvent_t start, end;
  CHECK(cudaEventCreate(&start));
  CHECK(cudaEventCreate(&end));
  double least = 1e30;
  for (int round = 0; round <= kRounds; ++round) {
    CHECK(cudaEventRecord(start));
    for (int i = 0; i < kCalls; ++i)
      work();
    CHECK(cudaEventRecord(end));
    CHECK(cudaEventSynchronize(end));
    float milliseconds = 0;
    CHECK(cudaEventElapsedTime(&milliseconds, start, end));
    double each = 1e3 * milliseconds / kCalls;
    if (round > 0 && each < least) // the first one warms up
      least = each;
  }
  return least;
}

static void *allocate(size_t bytes) {
  void *memory = nullptr;
  CHECK(cudaMalloc(&memory, bytes));
  CHECK(cudaMemset(memory, 1, bytes));
  return memory;
}

/// Negative where cuBLASLt has no kernel for it.
static double product(cublasLtHandle_t handle, int64_t rows, int64_t depth,
                      int64_t columns) {
  constexpr size_t kWorkspace = size_t{32} << 20;
  cublasLtMatmulDesc_t operation;
  CHECK(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32I, CUDA_R_32F));
  cublasOperation_t transposed = CUBLAS_OP_T;
  CHECK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA,
                                       &transposed, sizeof(transposed)));
  // Column-major: weights [columns][depth] times activations [rows][depth].
  cublasLtMatrixLayout_t weights, activations, result;
  CHECK(cublasLtMatrixLayoutCreate(&weights, CUDA_R_8I, depth, columns, depth));
  CHECK(
      cublasLtMatrixLayoutCreate(&activations, CUDA_R_8I, depth, rows, depth));
  CHECK(cublasLtMatrixLayoutCreate(&result, CUDA_R_8I, columns, rows, columns));
  cublasLtMatmulPreference_t preference;
  CHECK(cublasLtMatmulPreferenceCreate(&preference));
  CHECK(cublasLtMatmulPreferenceSetAttribute(
      preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspace,
      sizeof(kWorkspace)));
  cublasLtMatmulHeuristicResult_t found;
  int count = 0;
  if (cublasLtMatmulAlgoGetHeuristic(handle, operation, weights, activations,
                                     result, result, preference, 1, &found,
                                     &count) != CUBLAS_STATUS_SUCCESS ||
      count == 0)
    return -1;
  void *a = allocate(depth * columns), *b = allocate(depth * rows),
       *c = allocate(rows * columns), *workspace = allocate(kWorkspace);
  float scale = 0.001F, zero = 0;
  double time = measure([&] {
    CHECK(cublasLtMatmul(handle, operation, &scale, a, weights, b, activations,
                         &zero, c, result, c, result, &found.algo, workspace,
                         kWorkspace, nullptr));
  });
  for (void *memory : {a, b, c, workspace})
    CHECK(cudaFree(memory));
  return time;
}

int main(int argc, char **argv) {
  int devices = 0;
  cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "there is no GPU: %s\n", cudaGetErrorString(status));
    return 1;
  }
  cudaDeviceProp device;
  CHECK(cudaGetDeviceProperties(&device, 0));
  cublasLtHandle_t handle;
  CHECK(cublasLtCreate(&handle));
  constexpr size_t kBytes = size_t{512} << 20;
  void *from = allocate(kBytes), *to = allocate(kBytes);
  double copy = measure([&] {
    CHECK(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice));
  });
  CHECK(cudaFree(from));
  CHECK(cudaFree(to));
  constexpr int64_t kLarge = 8192;
  double large = product(handle, kLarge, kLarge, kLarge);
  std::printf("{\"gpu\": \"%s\", \"capability\": %d, \"bytes\": %.6g, "
              "\"macs\": %.6g, \"products\": {",
              device.name, 10 * device.major + device.minor,
              2e6 * static_cast<double>(kBytes) / copy,
              1e6 * static_cast<double>(kLarge * kLarge * kLarge) / large);
  for (int i = 1; i < argc; ++i) {
    long rows = 0, depth = 0, columns = 0;
    if (std::sscanf(argv[i], "%ldx%ldx%ld", &rows, &depth, &columns) != 3) {
      std::fprintf(stderr, "'%s' is not ROWSxDEPTHxCOLUMNS\n", argv[i]);
      return 1;
    }
    std::printf("%s\"%s\": %.6g", i > 1 ? ", " : "", argv[i],
                product(handle, rows, depth, columns));
  }
  std::printf("}}\n");
  CHECK(cublasLtDestroy(handle));
  return 0;
}
