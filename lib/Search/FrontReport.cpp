// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text and picture of a front.

#include "QDialect/Search/FrontReport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <map>

using namespace qdialect;

/// "31 w8a8, 19 w4a8".
static std::string census(const CostTable &table, const PrecisionPlan &plan) {
  std::map<std::pair<unsigned, unsigned>, unsigned> counts;
  for (auto [layer, choice] : llvm::zip_equal(table.layers, plan.choices)) {
    Precision precision = layer.choices[choice].precision;
    ++counts[{precision.weightBits, precision.activationBits}];
  }
  std::string text;
  for (const auto &[bits, count] : counts)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " +
            Precision{bits.first, bits.second}.str();
  return text;
}

std::string qdialect::frontText(const CostTable &table,
                                llvm::ArrayRef<PrecisionPlan> front,
                                const PrecisionPlan &chosen) {
  std::vector<PrecisionPlan> plans(front.begin(), front.end());
  if (llvm::none_of(plans, [&](const PrecisionPlan &plan) {
        return plan.choices == chosen.choices;
      }))
    plans.push_back(chosen);
  llvm::sort(plans, [](const auto &a, const auto &b) {
    return std::pair(-a.loss, a.spent) < std::pair(-b.loss, b.spent);
  });
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("  %12s %12s %12s %12s  layers\n", "size", "bops",
                     "latency", table.metric.c_str());
  for (const PrecisionPlan &plan : plans) {
    os << (plan.choices == chosen.choices ? "> " : "  ");
    for (unsigned r = 0; r < kNumResources; ++r)
      os << llvm::format(
          "%12s ", format(static_cast<Resource>(r), plan.spent[r]).c_str());
    os << llvm::format("%12.4g  ", plan.loss) << census(table, plan) << "\n";
  }
  return text;
}

namespace {

/// Where figures lie in the picture.
struct Scale {
  double low, high, from, to;
  double operator()(double value) const {
    return high > low ? from + (value - low) / (high - low) * (to - from)
                      : (from + to) / 2;
  }
};

} // namespace

std::string qdialect::frontPicture(const CostTable &table,
                                   llvm::ArrayRef<PrecisionPlan> front,
                                   const PrecisionPlan &chosen,
                                   Resource resource) {
  constexpr int kWidth = 640, kHeight = 400, kLeft = 90, kRight = 610,
                kTop = 30, kBottom = 340, kTicks = 5;
  unsigned r = static_cast<unsigned>(resource);
  Scale x{chosen.spent[r], chosen.spent[r], kLeft, kRight};
  Scale y{0, chosen.loss, kBottom, kTop};
  for (const PrecisionPlan &plan : front) {
    x.low = std::min(x.low, plan.spent[r]);
    x.high = std::max(x.high, plan.spent[r]);
    y.low = std::min(y.low, plan.loss);
    y.high = std::max(y.high, plan.loss);
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << kWidth
     << ' ' << kHeight
     << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  for (int tick = 0; tick <= kTicks; ++tick) {
    double atX = x.low + (x.high - x.low) * tick / kTicks;
    double atY = y.low + (y.high - y.low) * tick / kTicks;
    os << llvm::format(
              "<path d=\"M%.1f %d V%d M%d %.1f H%d\" stroke=\"#ddd\"/>\n",
              x(atX), kTop, kBottom, kLeft, y(atY), kRight)
       << llvm::format(
              "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
              x(atX), kBottom + 18, format(resource, atX).c_str())
       << llvm::format(
              "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
              kLeft - 6, y(atY) + 4, atY);
  }
  os << llvm::format(
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
            (kLeft + kRight) / 2, kBottom + 42,
            stringify(resource).str().c_str())
     << llvm::format("<text x=\"%d\" y=\"%d\">predicted loss (%s)</text>\n",
                     kLeft, kTop - 10, table.metric.c_str())
     << "<polyline fill=\"none\" stroke=\"#06c\" points=\"";
  for (const PrecisionPlan &plan : front)
    os << llvm::format("%.1f,%.1f ", x(plan.spent[r]), y(plan.loss));
  os << "\"/>\n";
  for (const PrecisionPlan &plan : front)
    os << llvm::format(
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#06c\"/>\n",
        x(plan.spent[r]), y(plan.loss));
  os << llvm::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" fill=\"none\" "
                     "stroke=\"#c00\" stroke-width=\"2\"/>\n</svg>\n",
                     x(chosen.spent[r]), y(chosen.loss));
  return text;
}
