// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products on the tensor cores, written with nvcuda::wmma and with inline
// mma.sync, ldmatrix and cp.async: C = A B for row-major A and column-major B.

#include <cuda_fp16.h>
#include <mma.h>

#include <cstdint>

using namespace nvcuda;

extern "C" __global__ void wmma_s8(const signed char *a, const signed char *b,
                                   int *c, int k) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, signed char, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, signed char, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, int> fc;
  wmma::fill_fragment(fc, 0);
  for (int i = 0; i < k; i += 16) {
    wmma::load_matrix_sync(fa, a + blockIdx.y * 16 * k + i, k);
    wmma::load_matrix_sync(fb, b + blockIdx.x * 16 * k + i, k);
    wmma::mma_sync(fc, fa, fb, fc);
  }
  int n = gridDim.x * 16;
  wmma::store_matrix_sync(c + blockIdx.y * 16 * n + blockIdx.x * 16, fc, n,
                          wmma::mem_row_major);
}

extern "C" __global__ void wmma_f16(const __half *a, const __half *b, float *c,
                                    int k) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
  wmma::fill_fragment(fc, 0.0f);
  for (int i = 0; i < k; i += 16) {
    wmma::load_matrix_sync(fa, a + blockIdx.y * 16 * k + i, k);
    wmma::load_matrix_sync(fb, b + blockIdx.x * 16 * k + i, k);
    wmma::mma_sync(fc, fa, fb, fc);
  }
  for (int i = 0; i < fc.num_elements; ++i)
    fc.x[i] *= 0.5f;
  int n = gridDim.x * 16;
  wmma::store_matrix_sync(c + blockIdx.y * 16 * n + blockIdx.x * 16, fc, n,
                          wmma::mem_row_major);
}

/// One warp computes 16 x 8 of C: k in steps of 32, two stages of shared
/// memory, both fragments by ldmatrix.
extern "C" __global__ void mma_s8(const int8_t *a, const int8_t *b, int *c,
                                  int k) {
  __shared__ __align__(16) int8_t tiles[2][24][32];
  int lane = threadIdx.x, n = gridDim.x * 8;
  const int8_t *rowsA = a + blockIdx.y * 16 * k;
  const int8_t *rowsB = b + blockIdx.x * 8 * k;
  auto fetch = [&](int stage, int at) {
    // 24 rows of two 16-byte pieces.
    for (int piece = lane; piece < 48; piece += 32) {
      int row = piece / 2, part = piece % 2;
      const int8_t *from =
          (row < 16 ? rowsA + row * k : rowsB + (row - 16) * k) + at + 16 * part;
      unsigned to = (unsigned)__cvta_generic_to_shared(
          &tiles[stage][row][(part ^ (row >> 2 & 1)) * 16]);
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
                   "l"(from));
    }
    asm volatile("cp.async.commit_group;");
  };
  int acc[4] = {0, 0, 0, 0};
  fetch(0, 0);
  for (int at = 0, stage = 0; at < k; at += 32, stage ^= 1) {
    if (at + 32 < k) {
      fetch(stage ^ 1, at + 32);
      asm volatile("cp.async.wait_group 1;");
    } else {
      asm volatile("cp.async.wait_group 0;");
    }
    __syncthreads();
    int row = lane % 16, part = lane / 16;
    unsigned atA = (unsigned)__cvta_generic_to_shared(
        &tiles[stage][row][(part ^ (row >> 2 & 1)) * 16]);
    int rowB = 16 + lane % 8, partB = lane / 8 % 2;
    unsigned atB = (unsigned)__cvta_generic_to_shared(
        &tiles[stage][rowB][(partB ^ (rowB >> 2 & 1)) * 16]);
    unsigned fa[4], fb[2];
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
        : "r"(atA));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(fb[0]), "=r"(fb[1])
                 : "r"(atB));
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(acc[0]), "+r"(acc[1]), "+r"(acc[2]), "+r"(acc[3])
                 : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]),
                   "r"(fb[1]));
    __syncthreads();
  }
  int *out = c + (blockIdx.y * 16 + lane / 4) * n + blockIdx.x * 8 + lane % 4 * 2;
  out[0] = acc[0];
  out[1] = acc[1];
  out[8 * n] = acc[2];
  out[8 * n + 1] = acc[3];
}
