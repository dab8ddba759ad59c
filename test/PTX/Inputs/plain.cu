// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plain CUDA: floats, division, shuffles, atomics, printf, a function that is
// not inlined, local memory, a transpose through shared memory.

#include <cstdio>

extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = a * x[i] + y[i];
}

__device__ __noinline__ int collatz(unsigned n) {
  int steps = 0;
  for (; n != 1; ++steps)
    n = n % 2 ? 3 * n + 1 : n / 2;
  return steps;
}

extern "C" __global__ void integers(const int *x, int *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  int table[8];
  for (int k = 0; k < 8; ++k)
    table[k] = x[(i + k) % n] / (k + 3);
  y[i] = table[x[i] & 7] * 1000 + collatz(i + 1) + __popc(x[i]) % 7;
  if (i == 5)
    printf("thread %d has %d and %.2f\n", i, x[i], y[i] * 0.5);
}

extern "C" __global__ void histogram(const unsigned *x, unsigned *bins, int n) {
  __shared__ unsigned local[16];
  if (threadIdx.x < 16)
    local[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += gridDim.x * blockDim.x)
    atomicAdd(&local[x[i] & 15], 1u);
  __syncthreads();
  if (threadIdx.x < 16)
    atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);
}

extern "C" __global__ void transpose(const float *x, float *y, int width) {
  __shared__ float tile[32][33];
  int column = blockIdx.x * 32 + threadIdx.x;
  for (int r = threadIdx.y; r < 32; r += 8)
    tile[r][threadIdx.x] = x[(blockIdx.y * 32 + r) * width + column];
  __syncthreads();
  int row = blockIdx.y * 32 + threadIdx.x;
  for (int r = threadIdx.y; r < 32; r += 8)
    y[(blockIdx.x * 32 + r) * width + row] = tile[threadIdx.x][r];
}

extern "C" __global__ void softmax(const float *x, float *y, int n) {
  float m = -INFINITY, sum = 0;
  for (int i = threadIdx.x; i < n; i += 32)
    m = fmaxf(m, x[blockIdx.x * n + i]);
  for (int s = 16; s; s /= 2)
    m = fmaxf(m, __shfl_xor_sync(~0u, m, s));
  for (int i = threadIdx.x; i < n; i += 32)
    sum += expf(x[blockIdx.x * n + i] - m);
  for (int s = 16; s; s /= 2)
    sum += __shfl_xor_sync(~0u, sum, s);
  for (int i = threadIdx.x; i < n; i += 32)
    y[blockIdx.x * n + i] = expf(x[blockIdx.x * n + i] - m) / sum;
}
