// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The YAML form of costs, and those that the library carries.

#include "QDialect/CodeGen/CPU/CpuCosts.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/YAMLTraits.h"
#include <algorithm>

using namespace llvm;
using qdialect::CpuCosts;
using qdialect::FamilyCosts;

LLVM_YAML_IS_STRING_MAP(FamilyCosts)

namespace llvm::yaml {

template <>
struct MappingTraits<FamilyCosts> {
  static void mapping(IO &io, FamilyCosts &costs) {
    io.mapOptional("product", costs.product);
    io.mapOptional("float_product", costs.floatProduct);
    io.mapOptional("operation", costs.operation);
    io.mapOptional("byte", costs.byte);
    io.mapOptional("weight_byte", costs.weightByte);
  }
  static std::string validate(IO &, FamilyCosts &costs) {
    double least = std::min({costs.product, costs.floatProduct, costs.operation,
                             costs.byte, costs.weightByte});
    return least >= 0 ? "" : "costs must not be negative";
  }
  static const bool flow = true;
};

template <>
struct MappingTraits<CpuCosts> {
  static void mapping(IO &io, CpuCosts &costs) {
    io.mapRequired("step_us", costs.stepMicroseconds);
    io.mapRequired("families", costs.families);
  }
  static std::string validate(IO &, CpuCosts &costs) {
    if (costs.stepMicroseconds < 0)
      return "costs must not be negative";
    return costs.families.count("other") ? "" : "missing family 'other'";
  }
};

} // namespace llvm::yaml

namespace qdialect {

double CpuCosts::microseconds(const KernelWork &work, StringRef family) const {
  auto known = families.find(family.str());
  const FamilyCosts &costs =
      known == families.end() ? families.at("other") : known->second;
  double nanoseconds =
      work.products * costs.product + work.floatProducts * costs.floatProduct +
      work.operations * costs.operation + work.bytes * costs.byte +
      work.weightBytes * costs.weightByte;
  return stepMicroseconds + nanoseconds * 1e-3;
}

Expected<CpuCosts> CpuCosts::parse(StringRef text, StringRef path) {
  std::string message;
  auto note = [](const SMDiagnostic &diagnostic, void *context) {
    raw_string_ostream stream(*static_cast<std::string *>(context));
    stream << ":" << diagnostic.getLineNo() << ": " << diagnostic.getMessage();
  };
  CpuCosts costs;
  yaml::Input input(text, nullptr, note, &message);
  input >> costs;
  if (input.error())
    return createStringError("costs '" + path + "'" + message);
  return costs;
}

namespace {
struct EmbeddedCosts {
  const char *name, *text;
};
} // namespace

static const EmbeddedCosts kEmbedded[] = {
#include "EmbeddedCosts.inc"
};

const CpuCosts *CpuCosts::find(StringRef variant) {
  static const StringMap<CpuCosts> all = [] {
    StringMap<CpuCosts> costs;
    for (const EmbeddedCosts &file : kEmbedded)
      costs[file.name] = cantFail(parse(file.text, file.name));
    return costs;
  }();
  auto known = all.find(variant);
  return known == all.end() ? nullptr : &known->second;
}

} // namespace qdialect
