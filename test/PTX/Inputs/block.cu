// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CUB's block primitives: reduce, scan, radix sort, transpose (exchange).

#include <cub/block/block_exchange.cuh>
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>

extern "C" __global__ void block_reduce(const int *in, int *out) {
  using Reduce = cub::BlockReduce<int, 128>;
  __shared__ typename Reduce::TempStorage storage;
  int sum = Reduce(storage).Sum(in[blockIdx.x * 128 + threadIdx.x]);
  if (threadIdx.x == 0)
    out[blockIdx.x] = sum;
}

extern "C" __global__ void block_scan(const int *in, int *out) {
  using Scan = cub::BlockScan<int, 128>;
  __shared__ typename Scan::TempStorage storage;
  int i = blockIdx.x * 128 + threadIdx.x, sum;
  Scan(storage).InclusiveSum(in[i], sum);
  out[i] = sum;
}

extern "C" __global__ void block_sort(const unsigned *in, unsigned *out) {
  using Sort = cub::BlockRadixSort<unsigned, 64, 4>;
  __shared__ typename Sort::TempStorage storage;
  unsigned keys[4];
  for (int k = 0; k < 4; ++k)
    keys[k] = in[blockIdx.x * 256 + threadIdx.x * 4 + k];
  Sort(storage).Sort(keys);
  for (int k = 0; k < 4; ++k)
    out[blockIdx.x * 256 + threadIdx.x * 4 + k] = keys[k];
}

extern "C" __global__ void block_transpose(const int *in, int *out) {
  using Exchange = cub::BlockExchange<int, 64, 4>;
  __shared__ typename Exchange::TempStorage storage;
  int items[4];
  for (int k = 0; k < 4; ++k)
    items[k] = in[threadIdx.x * 4 + k];
  Exchange(storage).BlockedToStriped(items);
  for (int k = 0; k < 4; ++k)
    out[threadIdx.x * 4 + k] = items[k];
}
