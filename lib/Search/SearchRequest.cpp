// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading the string of --search.

#include "QDialect/Search/SearchRequest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace qdialect;

namespace {

constexpr llvm::StringLiteral kKeys =
    "size<=, bops<=, latency<=, metric=, choices=, samples=, threads=, probes=";

struct Unit {
  llvm::StringLiteral name;
  double factor;
};
constexpr Unit kSizeUnits[] = {{"B", 1},           {"KB", 1e3},
                               {"MB", 1e6},        {"GB", 1e9},
                               {"KiB", 1024},      {"MiB", 1024.0 * 1024},
                               {"GiB", 1073741824}};
constexpr Unit kBopsUnits[] = {
    {"", 1}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
constexpr Unit kLatencyUnits[] = {{"us", 1e-3}, {"ms", 1}, {"s", 1e3}};

llvm::ArrayRef<Unit> unitsOf(Resource resource) {
  switch (resource) {
  case Resource::Size:
    return kSizeUnits;
  case Resource::Bops:
    return kBopsUnits;
  case Resource::Latency:
    return kLatencyUnits;
  }
  llvm_unreachable("a resource");
}

llvm::Error refuse(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "--search: " + message);
}

llvm::Error readLimit(Resource resource, llvm::StringRef text,
                      SearchRequest &request) {
  llvm::StringRef unit = text;
  unit = unit.drop_while(
      [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  llvm::StringRef digits = text.drop_back(unit.size());
  SearchRequest::Limit limit;
  unit = unit.ltrim();
  std::string allowed;
  for (const Unit &known : unitsOf(resource))
    if (!known.name.empty())
      allowed += known.name.str() + ", ";
  if (digits.getAsDouble(limit.value) || !(limit.value > 0))
    return refuse(stringify(resource) + "<=" + text +
                  " is not a positive number with one of the units " + allowed +
                  "x");
  limit.isRelative = unit == "x";
  const Unit *found = llvm::find_if(
      unitsOf(resource), [&](const Unit &known) { return known.name == unit; });
  if (limit.isRelative) {
    request.limits[static_cast<unsigned>(resource)] = limit;
    return llvm::Error::success();
  }
  if (found == unitsOf(resource).end())
    return refuse(stringify(resource) + "<=" + text + ": unit '" + unit +
                  "' is none of " + allowed + "x");
  limit.value *= found->factor;
  request.limits[static_cast<unsigned>(resource)] = limit;
  return llvm::Error::success();
}

llvm::Error readChoices(llvm::StringRef text, SearchRequest &request) {
  request.choices.clear();
  for (llvm::StringRef part : llvm::split(text, '/')) {
    std::optional<Precision> precision = Precision::parse(part);
    if (!precision || precision->weightBits < 2 || precision->weightBits > 8 ||
        precision->activationBits < 2 || precision->activationBits > 16)
      return refuse("choices=" + text + ": '" + part +
                    "' is no precision; allowed are w2 to w8 with a2 to a16, "
                    "such as w4a8/w8a8/w8a16");
    if (!llvm::is_contained(request.choices, *precision))
      request.choices.push_back(*precision);
  }
  llvm::sort(request.choices);
  return llvm::Error::success();
}

llvm::Error readMetric(llvm::StringRef text, SearchRequest &request) {
  std::optional<LossMetric> metric = parseLossMetric(text);
  if (!metric)
    return refuse("metric=" + text + " is none of kl, sqnr, mse, hessian");
  request.metric = *metric;
  return llvm::Error::success();
}

llvm::Error readCount(llvm::StringRef key, llvm::StringRef text, int64_t most,
                      int64_t &count) {
  if (text.getAsInteger(10, count) || count < 1 || count > most)
    return refuse(key + "=" + text + " is not a number from 1 to " +
                  llvm::Twine(most));
  return llvm::Error::success();
}

llvm::Error readEntry(llvm::StringRef entry, SearchRequest &request) {
  if (size_t at = entry.find("<="); at != llvm::StringRef::npos) {
    llvm::StringRef key = entry.take_front(at).trim();
    for (unsigned r = 0; r < kNumResources; ++r)
      if (key == stringify(static_cast<Resource>(r)))
        return readLimit(static_cast<Resource>(r),
                         entry.drop_front(at + 2).trim(), request);
    return refuse("unknown key '" + key + "<='; allowed are " + kKeys);
  }
  auto [key, value] = entry.split('=');
  key = key.trim();
  value = value.trim();
  if (key == "metric")
    return readMetric(value, request);
  if (key == "choices")
    return readChoices(value, request);
  if (key == "samples")
    return readCount(key, value, 1 << 20, request.samples);
  if (key == "threads")
    return readCount(key, value, 1024, request.threads);
  if (key == "probes")
    return readCount(key, value, 1 << 16, request.probes);
  return refuse("unknown key '" + entry + "'; allowed are " + kKeys);
}

} // namespace

llvm::Expected<SearchRequest> SearchRequest::parse(llvm::StringRef text) {
  SearchRequest request;
  for (llvm::StringRef entry : llvm::split(text, ','))
    if (llvm::Error error = readEntry(entry.trim(), request))
      return std::move(error);
  if (llvm::none_of(request.limits,
                    [](const auto &limit) { return limit.has_value(); }))
    return refuse("'" + text +
                  "' sets no limit: give size<=, bops<= or latency<=");
  return request;
}

Limits SearchRequest::absoluteLimits(const CostTable &table) const {
  ResourceVector widest = table.spent(table.widestChoices());
  Limits result{};
  for (unsigned r = 0; r < kNumResources; ++r)
    if (limits[r])
      result[r] = limits[r]->value * (limits[r]->isRelative ? widest[r] : 1);
  return result;
}

Resource SearchRequest::mainResource() const {
  for (unsigned r = 0; r < kNumResources; ++r)
    if (limits[r])
      return static_cast<Resource>(r);
  return Resource::Size;
}
