// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the kernel around a few lines of PTX and runs it.

#include "RunLanes.h"

using namespace qdialect;
using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

std::string test::header() {
  return ".version 9.0\n.target sm_100\n.address_size 64\n";
}

Inputs test::randomInputs(uint64_t seed) {
  static const uint64_t corners[] = {0,
                                     1,
                                     ~uint64_t{0},
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x3f8000003f800000};
  std::mt19937_64 random(seed);
  Inputs inputs;
  for (Lanes &lanes : inputs)
    for (uint64_t &value : lanes)
      value = random() % 4 ? random() : corners[random() % 12];
  return inputs;
}

static std::string kernelText(const std::string &body,
                              const std::string &output) {
  std::string text = header() + R"(
.visible .entry k(.param .u64 in, .param .u64 out, .param .u64 memory) {
  .reg .pred %p<16>;
  .reg .b16 %h<64>;
  .reg .b32 %r<128>;
  .reg .b64 %rd<64>;
  .reg .b128 %q<8>;
  .shared .align 128 .b8 buffer[4096];
  ld.param.u64 %rd60, [in];
  ld.param.u64 %rd61, [out];
  ld.param.u64 %rd50, [memory];
  mov.u32 %r60, %tid.x;
  mul.wide.u32 %rd62, %r60, 64;
  add.u64 %rd60, %rd60, %rd62;
  mov.u32 %r50, buffer;
  mad.lo.u32 %r61, %r60, 64, %r50;
  shr.u64 %rd62, %rd62, 3;
  add.u64 %rd61, %rd61, %rd62;
)";
  for (int k = 0; k < 8; ++k) {
    std::string n = std::to_string(k), at = "+" + std::to_string(8 * k) + "]";
    text += "  ld.global.u64 %rd" + n + ", [%rd60" + at +
            ";\n  st.shared.u64 [%r61" + at + ", %rd" + n +
            ";\n  cvt.u32.u64 %r" + n + ", %rd" + n + ";\n  cvt.u16.u64 %h" +
            n + ", %rd" + n + ";\n";
  }
  text += "  bar.sync 0;\n{\n" + body + "\n}\n";
  if (output[1] == 'h')
    text += "cvt.u64.u16 %rd63, " + output + ";\n";
  else if (output[1] == 'p')
    text += "selp.u64 %rd63, 1, 0, " + output + ";\n";
  else if (output[1] == 'r' && output[2] == 'd')
    text += "mov.u64 %rd63, " + output + ";\n";
  else
    text += "cvt.u64.u32 %rd63, " + output + ";\n";
  return text + "st.global.u64 [%rd61], %rd63;\nret;\n}\n";
}

LaneRun test::runLanes(const std::string &body, const std::string &output,
                       const Inputs &inputs, const LaunchConfig &base) {
  LaneRun run;
  auto emulator = Emulator::create(kernelText(body, output), run.why);
  if (!emulator)
    return run;
  std::vector<uint64_t> packed;
  for (unsigned lane = 0; lane < 32; ++lane)
    for (const Lanes &lanes : inputs)
      packed.push_back(lanes[lane]);
  uint64_t in = emulator->allocate(4096), out = emulator->allocate(256);
  uint64_t memory = emulator->allocate(4096);
  emulator->write(in, packed.data(), packed.size() * 8);
  emulator->write(memory, packed.data(), packed.size() * 8);
  LaunchConfig config = base;
  config.block = {32};
  for (uint64_t address : {in, out, memory}) {
    const auto *bytes = reinterpret_cast<const uint8_t *>(&address);
    config.arguments.emplace_back(bytes, bytes + 8);
  }
  run.launched = emulator->launch("k", config, run.result, run.why);
  emulator->read(out, run.out.data(), 256);
  run.global.resize(4096);
  emulator->read(memory, run.global.data(), 4096);
  return run;
}

Lanes test::runClean(const std::string &body, const std::string &output,
                     const Inputs &inputs) {
  LaneRun run = runLanes(body, output, inputs);
  EXPECT_TRUE(run.launched) << body << "\n" << run.why.message;
  for (const Finding &f : run.result.findings)
    ADD_FAILURE() << body << "\n" << name(f.kind) << ": " << f.message;
  return run.out;
}

void test::expectLanes(const std::string &body, const std::string &output,
                       const Oracle &expected, const Inputs &inputs) {
  Lanes out = runClean(body, output, inputs);
  for (unsigned l = 0; l < 32; ++l) {
    uint64_t want =
        expected(inputs[0][l], inputs[1][l], inputs[2][l], inputs[3][l]);
    ASSERT_EQ(out[l], want)
        << body << "\nlane " << l << std::hex << " a 0x" << inputs[0][l]
        << " b 0x" << inputs[1][l] << " c 0x" << inputs[2][l];
  }
}

KernelRun test::runKernel(const std::string &text, Dim3 grid, Dim3 block,
                          std::vector<std::vector<uint8_t> *> buffers,
                          LaunchConfig config) {
  KernelRun run;
  auto emulator = Emulator::create(text, run.why);
  if (!emulator)
    return run;
  std::vector<uint64_t> addresses;
  for (std::vector<uint8_t> *buffer : buffers) {
    addresses.push_back(emulator->allocate(buffer->size()));
    emulator->write(addresses.back(), buffer->data(), buffer->size());
    const auto *bytes = reinterpret_cast<const uint8_t *>(&addresses.back());
    config.arguments.emplace_back(bytes, bytes + 8);
  }
  config.grid = grid;
  config.block = block;
  std::string kernel;
  for (const Function &f : emulator->module().functions)
    if (f.isEntry)
      kernel = f.name;
  run.launched = emulator->launch(kernel, config, run.result, run.why);
  for (size_t k = 0; k < buffers.size(); ++k)
    emulator->read(addresses[k], buffers[k]->data(), buffers[k]->size());
  return run;
}

void test::expectFinding(const LaunchResult &result, FindingKind kind,
                         const std::string &part) {
  ASSERT_FALSE(result.findings.empty()) << "nothing was found";
  for (const Finding &f : result.findings) {
    EXPECT_EQ(f.kind, kind) << f.message;
    EXPECT_NE(f.message.find(part), std::string::npos) << f.message;
  }
}
