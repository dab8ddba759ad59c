// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Progress and results as text; see the header.

#include "Summary.h"

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Transforms/LayerName.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/Support/Format.h"

using namespace mlir;

namespace qdialect {
namespace {

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

std::string size(int64_t bytes) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (bytes < 10 * 1024)
    os << bytes << " bytes";
  else if (bytes < 10 * 1024 * 1024)
    os << bytes / 1024 << " KiB";
  else
    os << llvm::format("%.1f MiB", bytes / (1024.0 * 1024.0));
  return text;
}

} // namespace

void PhaseLog::end(StringRef phase, const llvm::Twine &remark) {
  Clock::time_point now = Clock::now();
  if (os) {
    *os << llvm::format("%-11s%7.2f s", phase.str().c_str(),
                        seconds(now - last));
    std::string text = remark.str();
    if (!text.empty())
      *os << "  " << text;
    *os << "\n";
  }
  last = now;
}

void PhaseLog::note(const llvm::Twine &text) {
  if (os)
    *os << "note: " << text << "\n";
}

void PhaseLog::text(StringRef lines) {
  if (os)
    *os << lines;
}

void PhaseLog::collectFallbacks(ModuleOp module) {
  layers.clear();
  integerContractions = floatContractions = 0;
  module.walk([&](Operation *op) {
    if (auto reason = op->getAttrOfType<StringAttr>(qd::kFallbackAttr))
      layers.push_back(
          {layerName(op), op->getName().getStringRef().str(), reason.str()});
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
        linalgOp && getContractionStructure(linalgOp))
      ++(op->hasAttr(qd::kAccBoundAttr) ? integerContractions
                                        : floatContractions);
  });
}

void PhaseLog::printFallbacks() {
  if (!os)
    return;
  for (const FallbackLayer &layer : layers)
    *os << "  float: " << layer.name << " (" << layer.op
        << "): " << layer.reason << "\n";
}

void PhaseLog::printSummary(const EmitSummary &summary, StringRef path) {
  if (!os)
    return;
  if (integerContractions + floatContractions)
    *os << "contractions  " << integerContractions << " integer, "
        << floatContractions << " float\n";
  if (summary.totalMacs)
    *os << llvm::format("macs          %.1f %% of %.1f M integer\n",
                        100.0 * summary.intMacs / summary.totalMacs,
                        summary.totalMacs / 1e6);
  *os << "fallbacks     " << layers.size() << "\n";
  printFallbacks();
  *os << "program       " << summary.steps << " steps, " << summary.kernels
      << " kernels\n"
      << "memory        weights " << size(summary.weightsBytes) << ", scratch "
      << size(summary.arenaBytes) << "\n"
      << "written       " << path << " (" << size(summary.fileBytes) << ") in "
      << llvm::format("%.2f s", seconds(Clock::now() - begin)) << "\n";
}

int64_t countOps(ModuleOp module) {
  int64_t count = 0;
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (main && !main.isExternal())
    for (Operation &op : main.getBody().front())
      count += !op.hasTrait<OpTrait::ConstantLike>();
  return count;
}

} // namespace qdialect
