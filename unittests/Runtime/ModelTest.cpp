// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instances of a hand-written program: options, variants, the floating-point
// environment, errors and the profile.

#include "gtest/gtest.h"
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>
#include <map>
#include <mutex>
#include <signal.h>
#include <thread>
#include <vector>

extern "C" {
#include "cpu.h"
#include "program.h"
}

namespace {

constexpr unsigned kDefaultFloat = 0x1f80; // what a process starts with
constexpr unsigned kFlushAndTruncate = 0x1f80 | 0x8000 | 0x0040 | 0x6000;

std::mutex statesMutex;
/// The threads that have computed, and the MXCSR each of them saw.
std::map<std::thread::id, unsigned> states;
/// Parts wait until so many threads have one.
std::atomic<size_t> threadsWanted{1};

bool enoughThreads() {
  std::lock_guard<std::mutex> lock(statesMutex);
  return states.size() >= threadsWanted;
}
std::atomic<bool> hold{false}, inside{false};

/// args: in, out; each task adds the variant's number to one float.
template <int Variant>
void addKernel(void **args, int64_t begin, int64_t end) {
  {
    std::lock_guard<std::mutex> lock(statesMutex);
    states[std::this_thread::get_id()] = _mm_getcsr();
  }
  while (!enoughThreads())
    std::this_thread::yield();
  inside = true;
  while (hold)
    std::this_thread::yield();
  auto *in = static_cast<const float *>(args[0]);
  auto *out = static_cast<float *>(args[1]);
  for (int64_t i = begin; i < end; ++i)
    out[i] = in[i] + Variant;
}

constexpr int64_t kSize = 8;

/// Step 0 copies the input into the arena, step 1 adds.
void programMain(qd_context *context, char *const *arenas,
                 const qd_kernel *kernels, const void *const *inputs,
                 void *const *outputs, const int64_t *, const int64_t *,
                 const char *, const int64_t *) {
  qd_rt_copy(context, 0, arenas[0], static_cast<const char *>(inputs[0]),
             kSize * sizeof(float), 0);
  void *args[] = {arenas[0], outputs[0]};
  qd_rt_parallel(context, 1, kernels[0], args, kSize);
}

const int64_t kDims[] = {kSize};
const qd_tensor_info kTensor = {
    "x", QD_F32, 1, kDims, kSize * sizeof(float), nullptr, nullptr};
const char *const kSteps[] = {"copy-in", "add"};
const char *const kVariantNames[] = {"avx512amx", "avx512vnni", "avx2",
                                     "scalar"};
const qd_kernel kTileKernels[] = {addKernel<4>};
const qd_kernel kAvx512Kernels[] = {addKernel<3>};
const qd_kernel kAvx2Kernels[] = {addKernel<2>};
const qd_kernel kScalarKernels[] = {addKernel<1>};
const qd_variant kVariants[] = {{QD_ISA_AVX512AMX, kTileKernels, nullptr, 1},
                                {QD_ISA_AVX512VNNI, kAvx512Kernels, nullptr, 1},
                                {QD_ISA_AVX2, kAvx2Kernels, nullptr, 1},
                                {QD_ISA_SCALAR, kScalarKernels, nullptr, 1}};

qd_program makeProgram(unsigned firstVariant = 0, unsigned numVariants = 4) {
  qd_program program = {};
  program.info = {QDIALECT_MODEL_ABI,
                  QD_ALIGNMENT,
                  "test",
                  1,
                  1,
                  2,
                  numVariants,
                  &kTensor,
                  &kTensor,
                  kSteps,
                  kVariantNames + firstVariant,
                  "{}",
                  2,
                  kSize * sizeof(float),
                  0,
                  0,
                  nullptr};
  program.variants = kVariants + firstVariant;
  program.main = programMain;
  return program;
}

class ModelTest : public testing::Test {
protected:
  void SetUp() override {
    unsetenv("QDIALECT_CPU");
    states.clear();
    threadsWanted = 1;
  }
  void TearDown() override {
    qd_rt_destroy(model);
    unsetenv("QDIALECT_CPU");
  }
  qd_status create(int threads, const char *variant = nullptr,
                   int profile = 0) {
    qd_options options = {
        sizeof(qd_options), threads, profile, variant, nullptr, nullptr, 0};
    return qd_rt_create(&program, &options, &model);
  }
  qd_status run() {
    const void *inputs[] = {input};
    void *outputs[] = {output};
    return qd_rt_run(model, inputs, outputs);
  }

  qd_program program = makeProgram();
  qd_model *model = nullptr;
  float input[kSize] = {0, 1, 2, 3, 4, 5, 6, 7};
  float output[kSize] = {};
};

// Programs of other compilers read these structs: whoever changes a size here
// changes QDIALECT_MODEL_ABI, in model.h and python/qdialect/model.py.
TEST(ModelLayout, IsThatOfItsVersion) {
  EXPECT_EQ(QDIALECT_MODEL_ABI, 7);
  EXPECT_EQ(sizeof(qd_tensor_info), 48u);
  EXPECT_EQ(sizeof(qd_symbol), 40u);
  EXPECT_EQ(sizeof(qd_info), 112u);
  EXPECT_EQ(offsetof(qd_info, receipt), 64u);
  EXPECT_EQ(sizeof(qd_options), 48u);
  EXPECT_EQ(sizeof(qd_device), 144u);
  EXPECT_EQ(sizeof(qd_profile), 24u);
}

TEST_F(ModelTest, DefaultOptionsRunTheBestVariant) {
  ASSERT_EQ(qd_rt_create(&program, nullptr, &model), QD_OK);
  int expected = qd_cpu_supports(QD_ISA_AVX512AMX)    ? 4
                 : qd_cpu_supports(QD_ISA_AVX512VNNI) ? 3
                 : qd_cpu_supports(QD_ISA_AVX2)       ? 2
                                                      : 1;
  EXPECT_STREQ(qd_rt_variant(model), kVariantNames[4 - expected]);
  ASSERT_EQ(run(), QD_OK);
  for (int i = 0; i < kSize; ++i)
    EXPECT_EQ(output[i], i + expected);
}

// The kernel grants no tile data to a process with a signal stack too small for
// them. A process of its own, because a grant is for good.
TEST_F(ModelTest, RefusedTilesLeaveTheNextVariant) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto run = [] {
    static char bytes[8192]; // AVX-512 fits, tiles do not
    stack_t small = {bytes, 0, sizeof(bytes)};
    bool isSmall = sigaltstack(&small, nullptr) == 0;
    bool hasTiles = qd_cpu_supports(QD_ISA_AVX512AMX);
    std::exit(isSmall && !hasTiles && qd_cpu_supports(QD_ISA_SCALAR) ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST_F(ModelTest, EachVariantCanBeForced) {
  const uint64_t isas[] = {QD_ISA_AVX512AMX, QD_ISA_AVX512VNNI, QD_ISA_AVX2,
                           QD_ISA_SCALAR};
  for (int i = 0; i < 4; ++i) {
    bool possible = qd_cpu_supports(isas[i]);
    ASSERT_EQ(create(2, kVariantNames[i]),
              possible ? QD_OK : QD_UNSUPPORTED_CPU);
    if (possible) {
      ASSERT_EQ(run(), QD_OK);
      EXPECT_EQ(output[0], 4 - i);
    }
    qd_rt_destroy(model);
    // The same through the environment.
    setenv("QDIALECT_CPU", kVariantNames[i], 1);
    ASSERT_EQ(create(1), possible ? QD_OK : QD_UNSUPPORTED_CPU);
    if (possible)
      EXPECT_STREQ(qd_rt_variant(model), kVariantNames[i]);
    qd_rt_destroy(model);
    model = nullptr;
    unsetenv("QDIALECT_CPU");
  }
}

TEST_F(ModelTest, AnOptionIsStrongerThanTheEnvironment) {
  setenv("QDIALECT_CPU", "nonsense", 1);
  EXPECT_EQ(create(1), QD_UNSUPPORTED_CPU);
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(create(1, "scalar"), QD_OK);
}

TEST_F(ModelTest, AVariantThatTheFileLacksIsAnError) {
  program = makeProgram(/*firstVariant=*/3, /*numVariants=*/1);
  EXPECT_EQ(create(1, "avx2"), QD_UNSUPPORTED_CPU);
  program = makeProgram(0, 0);
  EXPECT_EQ(create(1), QD_UNSUPPORTED_CPU);
}

TEST_F(ModelTest, BadArguments) {
  EXPECT_EQ(qd_rt_create(&program, nullptr, nullptr), QD_INVALID_ARGUMENT);
  EXPECT_EQ(create(-1), QD_INVALID_ARGUMENT);
  EXPECT_EQ(create(100000), QD_INVALID_ARGUMENT);
  qd_options old = {sizeof(qd_options) - 8, 1, 0, nullptr, nullptr, nullptr, 0};
  EXPECT_EQ(qd_rt_create(&program, &old, &model), QD_INVALID_ARGUMENT);
  EXPECT_EQ(model, nullptr);

  ASSERT_EQ(create(1), QD_OK);
  const void *inputs[] = {input}, *noInputs[] = {nullptr};
  void *outputs[] = {output}, *noOutputs[] = {nullptr};
  EXPECT_EQ(qd_rt_run(nullptr, inputs, outputs), QD_INVALID_ARGUMENT);
  EXPECT_EQ(qd_rt_run(model, nullptr, outputs), QD_INVALID_ARGUMENT);
  EXPECT_EQ(qd_rt_run(model, inputs, nullptr), QD_INVALID_ARGUMENT);
  EXPECT_EQ(qd_rt_run(model, noInputs, outputs), QD_INVALID_ARGUMENT);
  EXPECT_EQ(qd_rt_run(model, inputs, noOutputs), QD_INVALID_ARGUMENT);
  qd_profile profile;
  EXPECT_EQ(qd_rt_profile(model, &profile), QD_INVALID_ARGUMENT);
  qd_rt_destroy(nullptr);
}

TEST_F(ModelTest, TheFloatEnvironmentIsDefaultInsideAndRestoredOutside) {
  unsigned before = _mm_getcsr();
  threadsWanted = 3;
  _mm_setcsr(kFlushAndTruncate); // the workers would inherit it
  qd_status created = create(3), ran = run();
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  ASSERT_EQ(created, QD_OK);
  ASSERT_EQ(ran, QD_OK);
  EXPECT_EQ(after, kFlushAndTruncate);
  ASSERT_EQ(states.size(), 3u);
  for (auto [thread, state] : states)
    EXPECT_EQ(state & ~0x3fu, kDefaultFloat); // the low bits are flags
}

// Else the steps behind would run on what the failed one left.
TEST_F(ModelTest, MemoryThatGrowsKeepsAFailure) {
  program.num_arenas = 1;
  program.main = [](qd_context *context, char *const *, const qd_kernel *,
                    const void *const *, void *const *, const int64_t *,
                    const int64_t *, const char *, const int64_t *) {
    const int64_t negative = -1;
    EXPECT_EQ(qd_rt_grow(context, 1, 8), QD_OK);
    EXPECT_EQ(qd_rt_check_count(context, -1, &negative, "rows"),
              QD_SHAPE_MISMATCH);
    EXPECT_EQ(qd_rt_grow(context, 1, 1 << 20), QD_SHAPE_MISMATCH);
  };
  ASSERT_EQ(create(1), QD_OK);
  EXPECT_EQ(run(), QD_SHAPE_MISMATCH);
}

TEST_F(ModelTest, SerialStepsRunOnTheCaller) {
  program.main = [](qd_context *context, char *const *,
                    const qd_kernel *kernels, const void *const *inputs,
                    void *const *outputs, const int64_t *, const int64_t *,
                    const char *, const int64_t *) {
    void *args[] = {const_cast<void *>(inputs[0]), outputs[0]};
    qd_rt_serial(context, 1, kernels[0], args, kSize);
    qd_rt_serial(context, 1, kernels[0], args, 0);
  };
  ASSERT_EQ(create(3, "scalar", /*profile=*/1), QD_OK);
  ASSERT_EQ(run(), QD_OK);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states.begin()->first, std::this_thread::get_id());
  for (int i = 0; i < kSize; ++i)
    EXPECT_EQ(output[i], i + 1);
  qd_profile profile;
  ASSERT_EQ(qd_rt_profile(model, &profile), QD_OK);
  EXPECT_GT(profile.step_nanoseconds[1], 0u);
}

TEST_F(ModelTest, ASecondCallerIsTurnedAway) {
  ASSERT_EQ(create(1), QD_OK);
  hold = true;
  inside = false;
  std::thread first([&] { EXPECT_EQ(run(), QD_OK); });
  while (!inside)
    std::this_thread::yield();
  float other[kSize];
  const void *inputs[] = {input};
  void *outputs[] = {other};
  EXPECT_EQ(qd_rt_run(model, inputs, outputs), QD_BUSY);
  hold = false;
  first.join();
  EXPECT_EQ(run(), QD_OK);
}

TEST_F(ModelTest, InstancesRunSideBySide) {
  std::vector<std::thread> callers;
  std::atomic<int> failures{0};
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&, caller] {
      qd_options options = {
          sizeof(qd_options), 1 + caller % 3, 0, "scalar", nullptr, nullptr, 0};
      qd_model *own = nullptr;
      failures += qd_rt_create(&program, &options, &own) != QD_OK;
      for (int i = 0; i < 200; ++i) {
        float in[kSize], out[kSize];
        for (int j = 0; j < kSize; ++j)
          in[j] = caller * 1000 + i + j;
        const void *inputs[] = {in};
        void *outputs[] = {out};
        failures += qd_rt_run(own, inputs, outputs) != QD_OK;
        for (int j = 0; j < kSize; ++j)
          failures += out[j] != in[j] + 1;
      }
      qd_rt_destroy(own);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(ModelTest, ProfileAddsUpRunsAndSteps) {
  ASSERT_EQ(create(2, "scalar", /*profile=*/1), QD_OK);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(run(), QD_OK);
  qd_profile profile;
  ASSERT_EQ(qd_rt_profile(model, &profile), QD_OK);
  EXPECT_EQ(profile.runs, 3u);
  ASSERT_EQ(profile.num_steps, 2u);
  EXPECT_GT(profile.step_nanoseconds[0], 0u);
  EXPECT_GT(profile.step_nanoseconds[1], 0u);
}

TEST(CopyTest, EveryByteIsCopiedAndFlipped) {
  // A context is only made with a model; this program is one copy.
  struct Copy {
    static void main(qd_context *context, char *const *, const qd_kernel *,
                     const void *const *inputs, void *const *outputs,
                     const int64_t *, const int64_t *, const char *,
                     const int64_t *) {
      qd_rt_copy(context, 0, static_cast<char *>(outputs[0]),
                 static_cast<const char *>(inputs[0]),
                 *static_cast<const int64_t *>(inputs[1]),
                 *static_cast<const int32_t *>(inputs[2]));
    }
  };
  qd_program program = makeProgram();
  program.main = Copy::main;
  for (int threads : {1, 3}) {
    qd_options options = {
        sizeof(qd_options), threads, 0, "scalar", nullptr, nullptr, 0};
    qd_model *model = nullptr;
    ASSERT_EQ(qd_rt_create(&program, &options, &model), QD_OK);
    for (int64_t size : {0, 1, 63, 65535, 65536, 65537, 500001})
      for (int32_t flip : {0, 0x80}) {
        std::vector<char> source(size + 1), target(size + 1, 'x');
        for (int64_t i = 0; i < size; ++i)
          source[i] = static_cast<char>(i * 37);
        const void *inputs[] = {source.data(), &size, &flip};
        void *outputs[] = {target.data()};
        ASSERT_EQ(qd_rt_run(model, inputs, outputs), QD_OK);
        for (int64_t i = 0; i < size; ++i)
          ASSERT_EQ(target[i], static_cast<char>(source[i] ^ flip));
        EXPECT_EQ(target[size], 'x');
      }
    qd_rt_destroy(model);
  }
}

TEST(StatusTest, EveryStatusHasItsPhrase) {
  std::vector<std::string> phrases;
  for (int status = QD_OK; status <= QD_BUSY; ++status)
    phrases.push_back(qd_rt_status_string(static_cast<qd_status>(status)));
  for (size_t i = 0; i < phrases.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      EXPECT_NE(phrases[i], phrases[j]);
  EXPECT_STREQ(qd_rt_status_string(static_cast<qd_status>(99)),
               "unknown status");
}

} // namespace
