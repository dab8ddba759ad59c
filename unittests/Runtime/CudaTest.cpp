// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instances of a hand-written program for GPUs on a driver that counts what is
// alive and fails where it is told: results, errors, graphs, nothing left.

#include "FakeCuda.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <thread>
#include <vector>

extern "C" {
#include "gpu.h"
}

namespace {

constexpr const char *kHead = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// Params out, in, count: out[i] = in[i] + 1, by way of shared memory beyond
/// what a kernel has without asking.
const std::string kAdd = std::string(kHead) + R"(
.extern .shared .align 4 .b8 stage[];
.visible .entry add(.param .u64 in, .param .u64 out, .param .u64 sizes) {
.reg .b64 %rd<8>; .reg .b32 %r<4>; .reg .f32 %f<4>; .reg .pred %p<2>;
ld.param.u64 %rd1, [in];
ld.param.u64 %rd2, [out];
ld.param.u64 %rd6, [sizes];
mov.u32 %r1, %tid.x;
ld.global.u64 %rd7, [%rd6];
cvt.u64.u32 %rd5, %r1;
setp.ge.u64 %p1, %rd5, %rd7;
@%p1 bra DONE;
mul.wide.u32 %rd3, %r1, 4;
add.s64 %rd4, %rd1, %rd3;
ld.global.f32 %f1, [%rd4];
shl.b32 %r2, %r1, 2;
mov.u32 %r3, stage;
add.u32 %r2, %r2, %r3;
st.shared.f32 [%r2+65400], %f1;
ld.shared.f32 %f2, [%r2+65400];
add.rn.f32 %f3, %f2, 0f3f800000;
add.s64 %rd4, %rd2, %rd3;
st.global.f32 [%rd4], %f3;
DONE: ret;
})";

const std::string kCopy = std::string(kHead) + R"(
.visible .entry copy(.param .u64 target, .param .u64 source, .param .u64 bytes,
                     .param .u64 flip) {
.reg .b64 %rd<6>; .reg .b32 %r<2>; .reg .b16 %h<2>; .reg .pred %p<2>;
ld.param.u64 %rd1, [target];
ld.param.u64 %rd2, [source];
ld.param.u64 %rd3, [bytes];
mov.u32 %r1, %tid.x;
cvt.u64.u32 %rd4, %r1;
setp.ge.u64 %p1, %rd4, %rd3;
@%p1 bra DONE;
add.s64 %rd5, %rd2, %rd4;
ld.global.u8 %h1, [%rd5];
add.s64 %rd5, %rd1, %rd4;
st.global.u8 [%rd5], %h1;
DONE: ret;
})";

/// Block y writes y, a stride further each time.
const std::string kRows = std::string(kHead) + R"(
.visible .entry rows(.param .u64 out, .param .u64 stride) {
.reg .b64 %rd<4>; .reg .b32 %r<2>;
ld.param.u64 %rd1, [out];
ld.param.u64 %rd2, [stride];
mov.u32 %r1, %ctaid.y;
cvt.u64.u32 %rd3, %r1;
mad.lo.u64 %rd3, %rd3, %rd2, %rd1;
st.global.u32 [%rd3], %r1;
ret;
})";

constexpr int64_t kMost = 8;
constexpr uint32_t kShared = 65536;
bool reads; // the program looks at what it has computed

/// Copies the input into the arena, then adds.
void programMain(qd_context *context, char *const *arenas,
                 const qd_kernel *kernels, const void *const *inputs,
                 void *const *outputs, const int64_t *sizes, const int64_t *,
                 const char *, const int64_t *kernelSizes) {
  qd_rt_copy(context, 0, arenas[0], static_cast<const char *>(inputs[0]),
             sizes[2], 0);
  if (reads)
    qd_rt_flag(context, arenas[0]);
  void *args[] = {arenas[0], outputs[0], const_cast<int64_t *>(kernelSizes)};
  qd_rt_parallel(context, 1, kernels[0], args, 1);
}

const int64_t kDims[] = {-1};
const char *const kDimNames[] = {"n"};
const qd_tensor_info kTensor = {"x", QD_F32, 1, kDims, 0, kDimNames, nullptr};
const qd_symbol kSymbol = {"n", 1, kMost, 1, 0};
const char *const kSteps[] = {"copy-in", "add"};
const char *const kNames[] = {"sm_90", "sm_80"};
// n, 4, 4 n.
const qd_size kSizes[] = {{QD_SIZE_SYMBOL, 0, 0, 0},
                          {QD_SIZE_NUMBER, 0, 0, 4},
                          {QD_SIZE_MUL, 0, 1, 0}};

class CudaTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    library = dlopen(QDIALECT_FAKE_CUDA, RTLD_NOW | RTLD_GLOBAL);
    ASSERT_TRUE(library) << dlerror();
  }
  void SetUp() override {
    reads = false;
    auto *get = reinterpret_cast<FakeCuda *(*)()>(dlsym(library, "fakeCuda"));
    fake = get();
    static_cast<FakeCuda &>(*fake) = FakeCuda();
    for (auto [kernel, code] : {std::pair{&newer[0], &kAdd},
                                {&older[0], &kAdd},
                                {&newer[1], &kCopy},
                                {&older[1], &kCopy}})
      kernel->code = code->c_str();
    program.info.abi_version = QDIALECT_MODEL_ABI;
    program.info.prefix = "test";
    program.info.num_inputs = program.info.num_outputs = 1;
    program.info.inputs = program.info.outputs = &kTensor;
    program.info.num_steps = 2;
    program.info.step_names = kSteps;
    program.info.num_variants = 2;
    program.info.variants = kNames;
    program.info.num_symbols = 1;
    program.info.symbols = &kSymbol;
    program.info.weights_bytes = sizeof(weights);
    program.weights = weights;
    program.variants = variants;
    program.main = programMain;
    program.sizes = kSizes;
    program.num_sizes = 3;
    program.buffers = &buffer;
    program.num_buffers = 1;
    program.input_dims = program.output_dims = dims;
    program.gpu = &qd_gpu_functions;
  }
  /// A test that leaves something behind or misuses the driver fails.
  void TearDown() override {
    EXPECT_EQ(fake->leaks(), 0) << alive();
    EXPECT_EQ(fake->mistakes, 0u) << fake->firstMistake;
  }
  std::string alive() const {
    std::string text;
    for (const auto &[kind, count] : fake->alive)
      text += kind + " " + std::to_string(count) + ", ";
    return text;
  }

  qd_status create(qd_model **model, int profile = 0) {
    qd_options options = {
        sizeof(qd_options), 1, profile, nullptr, nullptr, error, sizeof(error)};
    return qd_rt_create(&program, &options, model);
  }
  /// Runs on n numbers that begin with `first` and checks the results.
  static qd_status run(qd_model *model, int64_t n, float first = 0) {
    float input[kMost], output[kMost] = {};
    for (int64_t i = 0; i < kMost; ++i)
      input[i] = first + static_cast<float>(i);
    const void *inputs[] = {input};
    void *outputs[] = {output};
    const int64_t *inputDims[] = {&n};
    qd_status status = qd_rt_run_dims(model, inputs, inputDims, outputs);
    for (int64_t i = 0; i < n && status == QD_OK; ++i)
      EXPECT_EQ(output[i], input[i] + 1) << i << " of " << n;
    return status;
  }

  static void *library;
  FakeCuda *fake = nullptr;
  char error[512] = "";
  const char weights[4] = {1, 2, 3, 4};
  const uint32_t dims[1] = {0};
  const qd_buffer buffer = {2, 0, 1, 0};
  qd_gpu_kernel newer[2] = {{"add", nullptr, nullptr, 1, 32, kShared, 0, 3, 0},
                            {"copy", nullptr, nullptr, 1, 256, 0, 0, 4, 0}};
  qd_gpu_kernel older[2] = {newer[0], newer[1]};
  const qd_variant variants[2] = {{90, nullptr, newer, 1},
                                  {80, nullptr, older, 1}};
  qd_program program = {};
};
void *CudaTest::library;

TEST_F(CudaTest, TheSecondRunOfASizeIsRecordedAndTheNextOnesAreOneCall) {
  qd_model *model = nullptr;
  ASSERT_EQ(create(&model), QD_OK) << error;
  for (float first : {0.f, 10.f, 20.f, 30.f})
    ASSERT_EQ(run(model, kMost, first), QD_OK) << qd_rt_error(model);
  EXPECT_EQ(fake->callsOf["cuStreamBeginCapture"], 1u);
  EXPECT_EQ(fake->callsOf["cuGraphLaunch"], 3u);
  EXPECT_EQ(fake->callsOf["cuLaunchKernel"], 4u);
  EXPECT_EQ(fake->launches, 8u);
  // A graph for each size; what grows memory forgets them.
  for (int64_t n : {3, 3, 8, 3, 8})
    ASSERT_EQ(run(model, n), QD_OK) << qd_rt_error(model);
  EXPECT_EQ(fake->callsOf["cuStreamBeginCapture"], 2u);
  EXPECT_EQ(fake->callsOf["cuGraphLaunch"], 7u);
  qd_rt_destroy(model);
}

TEST_F(CudaTest, MoreSizesThanGraphsAreKept) {
  qd_model *model = nullptr;
  ASSERT_EQ(create(&model), QD_OK) << error;
  ASSERT_EQ(run(model, kMost), QD_OK);
  for (int round = 0; round < 3; ++round)
    for (int64_t n = 1; n <= kMost; ++n)
      for (int again = 0; again < 3; ++again)
        ASSERT_EQ(run(model, n, 5), QD_OK) << qd_rt_error(model);
  EXPECT_EQ(fake->callsOf["cuGraphInstantiateWithFlags"], 8u);
  EXPECT_EQ(fake->alive["executable graph"], 8);
  qd_rt_destroy(model);
}

TEST_F(CudaTest, MemoryThatGrowsForgetsGraphs) {
  qd_model *model = nullptr;
  ASSERT_EQ(create(&model), QD_OK) << error;
  for (int64_t n : {2, 2, 2, 8, 2, 2, 2})
    ASSERT_EQ(run(model, n), QD_OK) << qd_rt_error(model);
  EXPECT_EQ(fake->callsOf["cuStreamBeginCapture"], 2u);
  qd_rt_destroy(model);
}

TEST_F(CudaTest, AProgramThatReadsIsNotRecordedAgain) {
  reads = true;
  qd_model *model = nullptr;
  ASSERT_EQ(create(&model), QD_OK) << error;
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(run(model, kMost), QD_OK) << qd_rt_error(model);
  EXPECT_EQ(fake->callsOf["cuStreamBeginCapture"], 1u);
  EXPECT_EQ(fake->launches, 10u);
  qd_rt_destroy(model);
}

TEST_F(CudaTest, StepsThatAreTimedAreNotRecorded) {
  qd_model *model = nullptr;
  ASSERT_EQ(create(&model, /*profile=*/1), QD_OK) << error;
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(run(model, kMost), QD_OK) << qd_rt_error(model);
  EXPECT_EQ(fake->callsOf["cuStreamBeginCapture"], 0u);
  qd_rt_destroy(model);
}

// The whole life of an instance, once for each call of the driver that may
// fail: it is said which one, nothing is left, and what comes after works.
TEST_F(CudaTest, EveryCallMayFail) {
  for (bool reading : {false, true}) {
    reads = reading;
    std::map<std::string, int> refused;
    bool hasFailed = true;
    for (uint64_t call = 1; hasFailed; ++call) {
      static_cast<FakeCuda &>(*fake) = FakeCuda();
      fake->failCall = call;
      std::string said;
      qd_model *model = nullptr;
      if (create(&model) != QD_OK) {
        said = error;
        EXPECT_EQ(model, nullptr);
        fake->failCall = 0;
        ASSERT_EQ(create(&model), QD_OK) << error;
      }
      for (int64_t n : {2, 2, 2, 8, 8})
        if (run(model, n) != QD_OK) {
          said = qd_rt_error(model);
          EXPECT_EQ(run(model, n), QD_OK) << said << qd_rt_error(model);
        }
      qd_rt_destroy(model);
      hasFailed = !fake->failed.empty();
      if (!said.empty()) {
        ++refused[fake->failed];
        EXPECT_EQ(said.rfind(fake->failed, 0), 0u) << said;
        EXPECT_NE(said.find("CUDA_ERROR_UNKNOWN"), std::string::npos) << said;
      }
      // What is freed without its context stays.
      bool isLost = fake->failed == "cuCtxPushCurrent" && said.empty();
      if (!isLost)
        ASSERT_EQ(fake->leaks(), 0) << fake->failed << ": " << alive();
      ASSERT_EQ(fake->mistakes, 0u)
          << fake->failed << ": " << fake->firstMistake;
    }
    for (const char *name :
         {"cuInit", "cuDeviceGet", "cuDeviceGetAttribute",
          "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent", "cuStreamCreate",
          "cuModuleLoadDataEx", "cuModuleGetFunction", "cuFuncSetAttribute",
          "cuMemAlloc", "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync",
          "cuLaunchKernel", "cuStreamSynchronize", "cuGraphLaunch"})
      EXPECT_GT(refused[name], 0) << name;
  }
  static_cast<FakeCuda &>(*fake) = FakeCuda();
}

constexpr int64_t kRowBlocks = QD_MOST_REPEATS + 100;

void rowsMain(qd_context *context, char *const *, const qd_kernel *kernels,
              const void *const *, void *const *outputs, const int64_t *,
              const int64_t *, const char *, const int64_t *) {
  void *args[] = {outputs[0]};
  const int64_t offset = 0, stride = 4;
  qd_rt_blocks(context, 1, kernels[0], args, 1, &offset, &stride, 1,
               kRowBlocks);
}

TEST_F(CudaTest, BlocksOfRowsAreOneLaunchUpToTheMostRepeats) {
  const int64_t rowDims[] = {kRowBlocks};
  const qd_tensor_info rows = {"y",     QD_U32, 1, rowDims, 4 * kRowBlocks,
                               nullptr, nullptr};
  older[0] = {"rows", kRows.c_str(), nullptr, 1, 1, 0, 0, 1, 1};
  newer[0] = older[0];
  program.info.num_inputs = program.info.num_symbols = 0;
  program.num_sizes = program.num_buffers = 0;
  program.input_dims = program.output_dims = nullptr;
  program.info.outputs = &rows;
  program.main = rowsMain;
  qd_model *model = nullptr;
  ASSERT_EQ(create(&model), QD_OK) << error;
  std::vector<uint32_t> values(kRowBlocks);
  void *outputs[] = {values.data()};
  ASSERT_EQ(qd_rt_run(model, nullptr, outputs), QD_OK) << qd_rt_error(model);
  EXPECT_EQ(fake->callsOf["cuLaunchKernel"], 2u);
  for (int64_t i = 0; i < kRowBlocks; ++i)
    ASSERT_EQ(values[i], i % QD_MOST_REPEATS);
  qd_rt_destroy(model);
}

TEST_F(CudaTest, AGpuThatIsTooOldIsNamed) {
  fake->capability = 75;
  qd_model *model = nullptr;
  EXPECT_EQ(create(&model), QD_UNSUPPORTED_DEVICE);
  EXPECT_STREQ(error, "the GPU has compute capability 7.5");
  fake->capability = 86;
  ASSERT_EQ(create(&model), QD_OK) << error;
  EXPECT_STREQ(qd_rt_variant(model), "sm_80");
  EXPECT_EQ(run(model, 4), QD_OK);
  qd_rt_destroy(model);
}

TEST_F(CudaTest, NoGpuIsSaid) {
  fake->hasDevice = false;
  qd_model *model = nullptr;
  EXPECT_EQ(create(&model), QD_UNSUPPORTED_DEVICE);
  EXPECT_STREQ(error, "cuInit gives CUDA_ERROR_NO_DEVICE");
}

TEST_F(CudaTest, WhatTheAssemblerSaysIsPassedOn) {
  std::string broken = std::string(kHead) + "nonsense";
  newer[0].code = broken.c_str();
  qd_model *model = nullptr;
  EXPECT_EQ(create(&model), QD_DEVICE_FAILURE);
  EXPECT_EQ(std::string(error).rfind(
                "cuModuleLoadDataEx gives CUDA_ERROR_INVALID_PTX: line 4", 0),
            0u)
      << error;
}

TEST_F(CudaTest, BinariesAreForTheirOwnMajorVersionAndNotNeeded) {
  struct {
    Elf64_Ehdr header;
    char name[4];
  } image = {{}, "add"};
  memcpy(image.header.e_ident, ELFMAG, SELFMAG);
  image.header.e_machine = 190;
  image.header.e_shoff = sizeof(image);
  older[0].binary = reinterpret_cast<const char *>(&image);
  auto launchesOf = [&](int capability, bool taken) {
    fake->capability = capability;
    fake->takesBinaries = taken;
    fake->binaryLaunches = 0;
    qd_model *model = nullptr;
    EXPECT_EQ(create(&model), QD_OK) << error;
    float input[] = {1, 2}, output[2];
    const void *inputs[] = {input};
    void *outputs[] = {output};
    const int64_t n = 2, *inputDims[] = {&n};
    EXPECT_EQ(qd_rt_run_dims(model, inputs, inputDims, outputs), QD_OK);
    EXPECT_TRUE(fake->binaryLaunches || output[1] == 3);
    qd_rt_destroy(model);
    return fake->binaryLaunches;
  };
  EXPECT_EQ(launchesOf(80, true), 1u);
  EXPECT_EQ(launchesOf(89, true), 1u);
  EXPECT_EQ(launchesOf(89, false), 0u); // refused: the PTX instead
  EXPECT_EQ(launchesOf(90, true), 0u);  // another variant
  older[0].binary = nullptr;
  newer[0].binary = reinterpret_cast<const char *>(&image);
  EXPECT_EQ(launchesOf(100, true), 0u); // PTX of sm_90
}

TEST_F(CudaTest, InstancesOfManyThreadsDoNotMeet) {
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&, caller] {
      qd_model *own = nullptr;
      ASSERT_EQ(qd_rt_create(&program, nullptr, &own), QD_OK);
      for (int i = 0; i < 20; ++i)
        EXPECT_EQ(run(own, 1 + (i / 4 + caller) % kMost, i), QD_OK)
            << qd_rt_error(own);
      qd_rt_destroy(own);
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(CudaFailureTest, AKernelThatFailsIsFoundWhenItIsWaitedFor) {
  void *library = dlopen(QDIALECT_FAKE_CUDA, RTLD_NOW | RTLD_GLOBAL);
  auto *fake = reinterpret_cast<FakeCuda *(*)()>(dlsym(library, "fakeCuda"))();
  *fake = FakeCuda();
  qd_device *device = nullptr;
  char error[256] = "";
  ASSERT_EQ(qd_cuda_open(&device, error, sizeof(error)), QD_OK) << error;
  void *kernel = nullptr;
  ASSERT_EQ(device->enter(device->state), 0);
  ASSERT_EQ(device->load(device->state, kCopy.c_str(), "copy", 0, &kernel), 0);
  const uint64_t args[] = {64, 64, 4, 0}; // no memory lies there
  EXPECT_EQ(device->launch(device->state, kernel, "s", 1, 1, 32, 0, args, 4),
            0);
  EXPECT_NE(device->synchronize(device->state), 0);
  EXPECT_STREQ(device->error(device->state),
               "cuStreamSynchronize gives CUDA_ERROR_LAUNCH_FAILED");
  EXPECT_NE(device->launch(device->state, kernel, "many", uint64_t{1} << 31, 1,
                           32, 0, args, 4),
            0);
  EXPECT_STREQ(device->error(device->state),
               "step 'many' has 2147483648 blocks, more than a GPU launches at "
               "once");
  device->unload(device->state, kernel);
  device->leave(device->state);
  qd_cuda_close(device);
  EXPECT_EQ(fake->leaks(), 0);
  *fake = FakeCuda();
}

} // namespace
