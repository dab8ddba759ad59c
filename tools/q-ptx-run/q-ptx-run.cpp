// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-ptx-run: runs a kernel of a PTX file on the host, with every checker on.

#include "PrintReport.h"
#include "RunKernel.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace llvm;
using namespace qdialect;

static constexpr const char *kOverview =
    R"(Runs a kernel of a PTX file on the host.

  q-ptx-run k.ptx --kernel saxpy --grid 8 --block 128 --arg i32:1000 --arg f32:2
            --arg in:x.npy --arg inout:y.npy --arg out:z.npy:f32:10x100
  q-ptx-run k.ptx --kernel saxpy ... --counters --lines
  q-ptx-run --list-instructions

Exit codes: 0 success; 1 wrong options or arguments, an unreadable file or an
instruction that is not known; 2 the kernel ran and a checker found something.
)";

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::ResetCommandLineParser();
  RunKernelOptions o;
  using Text = cl::opt<std::string, true>;
  using Flag = cl::opt<bool, true>;
  Text file(cl::Positional, cl::desc("FILE.ptx"), cl::location(o.path));
  Text kernel("kernel", cl::location(o.kernel),
              cl::desc("its name; may be left out where there is one"));
  Text grid("grid", cl::location(o.grid), cl::desc("X[,Y[,Z]] blocks"));
  Text block("block", cl::location(o.block), cl::desc("X[,Y[,Z]] threads"));
  cl::opt<uint64_t, true> shared("shared", cl::location(o.config.sharedBytes),
                                 cl::desc("bytes of dynamic shared memory"));
  cl::list<std::string, std::vector<std::string>> arguments(
      "arg", cl::location(o.arguments),
      cl::desc("TYPE:VALUE, in:F.npy, inout:F.npy or out:F.npy:TYPE:SIZES"));
  Flag noCheck("no-check", cl::location(o.noCheck),
               cl::desc("only bounds, alignment and divergence"));
  Flag counters("counters", cl::location(o.counters),
                cl::desc("print instructions, bank conflicts, sectors"));
  Flag lines("lines", cl::location(o.lines),
             cl::desc("print the counters of each source line"));
  Flag time("time", cl::location(o.time),
            cl::desc("print the warp instructions a second and core"));
  cl::opt<unsigned, true> threads("threads", cl::location(o.config.threads),
                                  cl::desc("host threads; 0: one a CPU"));
  cl::opt<uint64_t, true> seed("seed", cl::location(o.config.seed),
                               cl::desc("permutes the order of the warps"));
  cl::opt<uint64_t, true> steps("max-steps", cl::location(o.config.maxSteps),
                                cl::desc("warp instructions at most"));
  Flag list("list-instructions", cl::location(o.list),
            cl::desc("print what is accepted, as Markdown"));
  cl::ParseCommandLineOptions(argc, argv, kOverview);
  if (o.list) {
    printInstructions(outs());
    return 0;
  }
  return runKernel(o, outs(), errs());
}
