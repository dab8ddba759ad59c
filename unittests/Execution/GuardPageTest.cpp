// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The caller's tensors end where a page ends and nothing may be read or written
// behind them; nor may anything be assumed about their alignment.

#include "Fixture.h"
#include "qdialect/model.h"
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace qdialect;

namespace {

/// `bytes` bytes that end at an inaccessible page.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes) : bytes(bytes) {
    size_t page = sysconf(_SC_PAGESIZE);
    usable = (bytes + page - 1) / page * page;
    size = usable + page;
    base = static_cast<char *>(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(static_cast<void *>(base), MAP_FAILED);
    EXPECT_EQ(mprotect(base + usable, page, PROT_NONE), 0);
  }
  ~GuardedBuffer() { munmap(base, size); }
  GuardedBuffer(const GuardedBuffer &) = delete;

  char *data() { return base + usable - bytes; }

private:
  size_t bytes, usable, size;
  char *base;
};

class GuardPageTest : public ExecutionTest {
protected:
  /// Runs a program with one input and one output in guarded memory, on every
  /// variant, and compares with the interpreter.
  void expectStaysInside(llvm::StringRef text) {
    auto module = parse(text);
    ASSERT_TRUE(module);
    auto model = emitAndLoad(*module);
    ASSERT_TRUE(model);
    auto inputs = randomInputs(*model);
    auto expected = reference(*module, inputs);
    ASSERT_EQ(expected.size(), 1u);
    GuardedBuffer input(inputs[0].sizeInBytes());
    GuardedBuffer output(expected[0].sizeInBytes());
    std::memcpy(input.data(), inputs[0].bytes(), inputs[0].sizeInBytes());

    void *library = dlopen(path("model.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    auto create = reinterpret_cast<decltype(&qd_model_create)>(
        dlsym(library, "qd_model_create"));
    auto run = reinterpret_cast<decltype(&qd_model_run)>(
        dlsym(library, "qd_model_run"));
    auto destroy = reinterpret_cast<decltype(&qd_model_destroy)>(
        dlsym(library, "qd_model_destroy"));
    for (const CpuTarget &target : defaultCpuTargets()) {
      if (!target.runsHere())
        continue;
      SCOPED_TRACE(target.name);
      qd_options options = {
          sizeof(qd_options), 2, 0, target.name.c_str(), nullptr, nullptr, 0};
      qd_model *instance = nullptr;
      ASSERT_EQ(create(&options, &instance), QD_OK);
      std::memset(output.data(), 0x55, expected[0].sizeInBytes());
      const void *sources[] = {input.data()};
      void *targets[] = {output.data()};
      EXPECT_EQ(run(instance, sources, targets), QD_OK);
      EXPECT_EQ(std::memcmp(output.data(), expected[0].bytes(),
                            expected[0].sizeInBytes()),
                0);
      destroy(instance);
    }
    dlclose(library);
  }
};

TEST_F(GuardPageTest, FloatElementwise) {
  expectStaysInside(R"(
func.func @main(%arg0: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %0 = qd.dispatch ins(%arg0 : tensor<7x13xf32>) -> (tensor<7x13xf32>) {
  ^bb0(%x: tensor<7x13xf32>):
    %e = tensor.empty() : tensor<7x13xf32>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<7x13xf32>) outs(%e : tensor<7x13xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.mulf %a, %a : f32
      linalg.yield %s : f32
    } -> tensor<7x13xf32>
    qd.yield %r : tensor<7x13xf32>
  }
  return %0 : tensor<7x13xf32>
})");
}

/// An i8 matmul whose activations are quantized from the caller's floats.
TEST_F(GuardPageTest, QuantizeOfTheInput) {
  expectStaysInside(R"(
func.func @main(%arg0: tensor<3x11xf32>) -> tensor<3x11x!qd.uint<8>> {
  %0 = qd.dispatch ins(%arg0 : tensor<3x11xf32>) -> (tensor<3x11x!qd.uint<8>>) {
  ^bb0(%x: tensor<3x11xf32>):
    %s = arith.constant 0.03 : f32
    %z = arith.constant 120 : i32
    %e = tensor.empty() : tensor<3x11x!qd.uint<8>>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<3x11xf32>) outs(%e : tensor<3x11x!qd.uint<8>>) {
    ^bb0(%a: f32, %o: !qd.uint<8>):
      %q = qd.quantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : f32, f32, i32 -> !qd.uint<8>
      linalg.yield %q : !qd.uint<8>
    } -> tensor<3x11x!qd.uint<8>>
    qd.yield %r : tensor<3x11x!qd.uint<8>>
  }
  return %0 : tensor<3x11x!qd.uint<8>>
})");
}

/// One product a sum, so that the order of summation cannot matter.
TEST_F(GuardPageTest, FloatConvolution) {
  expectStaysInside(R"(
func.func @main(%arg0: tensor<1x9x9x3xf32>) -> tensor<1x9x9x5xf32> {
  %0 = qd.dispatch ins(%arg0 : tensor<1x9x9x3xf32>) -> (tensor<1x9x9x5xf32>) {
  ^bb0(%x: tensor<1x9x9x3xf32>):
    %w = arith.constant dense<[[[[0.0, 1.0, 0.0, 0.0, 0.0],
                                 [0.0, 0.0, 2.0, 0.0, 0.5],
                                 [4.0, 0.0, 0.0, -1.0, 0.0]]]]>
        : tensor<1x1x3x5xf32>
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x9x9x5xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x9x9x5xf32>)
        -> tensor<1x9x9x5xf32>
    %r = linalg.conv_2d_nhwc_hwcf
        {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
        ins(%x, %w : tensor<1x9x9x3xf32>, tensor<1x1x3x5xf32>)
        outs(%f : tensor<1x9x9x5xf32>) -> tensor<1x9x9x5xf32>
    qd.yield %r : tensor<1x9x9x5xf32>
  }
  return %0 : tensor<1x9x9x5xf32>
})");
}

} // namespace
