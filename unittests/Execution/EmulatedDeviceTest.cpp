// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulator behind the table of functions that compiled models call.

#include "QDialect/Execution/EmulatedDevice.h"
#include "qdialect/model.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

/// Each thread stores its number: at its own place, or all at the same.
std::string storeKernel(const char *stride) {
  return std::string(".version 8.0\n.target sm_80\n.address_size 64\n"
                     ".visible .entry store(.param .u64 out) {\n"
                     ".reg .b64 %rd<4>;\n.reg .b32 %r<3>;\n"
                     "ld.param.u64 %rd1, [out];\n"
                     "mov.u32 %r1, %tid.x;\n"
                     "mul.wide.u32 %rd2, %r1, ") +
         stride +
         ";\nadd.s64 %rd3, %rd1, %rd2;\n"
         "st.global.u32 [%rd3], %r1;\nret;\n}\n";
}

class EmulatedDeviceTest : public testing::Test {
protected:
  void SetUp() override {
    auto made = EmulatedDevice::create("ptx-emulator:sm_80", 1);
    ASSERT_TRUE(static_cast<bool>(made)) << llvm::toString(made.takeError());
    device = std::move(*made);
    table = device->table();
  }
  int32_t launch(const std::string &code, const char *step) {
    void *kernel = nullptr;
    if (table->load(table->state, code.c_str(), "store", 0, &kernel))
      return 1;
    int32_t status =
        table->launch(table->state, kernel, step, 1, 1, 32, 0, &memory, 1);
    table->unload(table->state, kernel);
    return status;
  }

  std::unique_ptr<EmulatedDevice> device;
  const qd_device *table = nullptr;
  uint64_t memory = 0;
};

TEST_F(EmulatedDeviceTest, KernelsShareItsMemory) {
  ASSERT_EQ(table->capability, 80);
  ASSERT_EQ(table->allocate(table->state, 128, &memory), 0);
  ASSERT_EQ(launch(storeKernel("4"), "first"), 0) << table->error(table->state);
  ASSERT_EQ(launch(storeKernel("4"), "second"), 0);
  uint32_t values[32] = {};
  ASSERT_EQ(table->read(table->state, values, memory, sizeof(values)), 0);
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(values[i], i);
  ASSERT_EQ(device->counters().size(), 2u);
  EXPECT_EQ(device->counters()[1].step, "second");
  EXPECT_EQ(device->counters()[1].memory.sectors, 4u);
}

TEST_F(EmulatedDeviceTest, AFindingFailsTheLaunchAndNamesStepKernelAndLine) {
  ASSERT_EQ(table->allocate(table->state, 128, &memory), 0);
  EXPECT_NE(launch(storeKernel("0"), "racing"), 0);
  llvm::StringRef error = table->error(table->state);
  EXPECT_TRUE(error.starts_with("step 'racing', kernel 'store', PTX line 11: "
                                "race: "))
      << error.str();
}

TEST_F(EmulatedDeviceTest, ReleasedMemoryIsOutOfBounds) {
  ASSERT_EQ(table->allocate(table->state, 128, &memory), 0);
  table->release(table->state, memory);
  EXPECT_NE(launch(storeKernel("4"), "late"), 0);
  EXPECT_NE(llvm::StringRef(table->error(table->state)).find("out of bounds"),
            llvm::StringRef::npos);
}

TEST_F(EmulatedDeviceTest, CodeThatIsNoPtxIsRefused) {
  EXPECT_NE(launch("nonsense", "none"), 0);
  EXPECT_TRUE(llvm::StringRef(table->error(table->state))
                  .starts_with("kernel 'store', line "));
}

} // namespace
