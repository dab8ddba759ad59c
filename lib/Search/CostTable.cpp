// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums over a table, and how its figures are spelled.

#include "QDialect/Search/CostTable.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace qdialect;

std::string Precision::str() const {
  return "w" + std::to_string(weightBits) + "a" +
         std::to_string(activationBits);
}

std::optional<Precision> Precision::parse(llvm::StringRef text) {
  Precision result;
  if (!text.consume_front("w") || text.consumeInteger(10, result.weightBits) ||
      !text.consume_front("a") || text.getAsInteger(10, result.activationBits))
    return std::nullopt;
  return result;
}

llvm::StringRef qdialect::stringify(Resource resource) {
  static constexpr llvm::StringLiteral names[] = {"size", "bops", "latency"};
  return names[static_cast<unsigned>(resource)];
}

std::string qdialect::format(Resource resource, double value) {
  static constexpr llvm::StringLiteral bytes[] = {" B", " KB", " MB", " GB"};
  static constexpr llvm::StringLiteral counts[] = {"", " K", " M", " G"};
  std::string text;
  llvm::raw_string_ostream os(text);
  if (resource == Resource::Latency) {
    os << llvm::format("%.4g ms", value);
    return text;
  }
  unsigned power = 0;
  for (; value >= 1000 && power < 3; ++power)
    value /= 1000;
  os << llvm::format("%.4g", value)
     << (resource == Resource::Size ? bytes : counts)[power];
  return text;
}

const CostTable::Choice *CostTable::Layer::find(Precision precision) const {
  for (const Choice &choice : choices)
    if (choice.precision == precision)
      return &choice;
  return nullptr;
}

double CostTable::loss(const std::vector<unsigned> &choices) const {
  double sum = 0;
  for (auto [layer, choice] : llvm::zip_equal(layers, choices))
    sum += layer.choices[choice].loss;
  return sum;
}

ResourceVector CostTable::spent(const std::vector<unsigned> &choices) const {
  ResourceVector sum = rest;
  for (auto [layer, choice] : llvm::zip_equal(layers, choices))
    for (unsigned r = 0; r < kNumResources; ++r)
      sum[r] += layer.choices[choice].costs[r];
  return sum;
}

std::vector<unsigned> CostTable::widestChoices() const {
  std::vector<unsigned> result;
  for (const Layer &layer : layers)
    result.push_back(layer.choices.size() - 1);
  return result;
}
