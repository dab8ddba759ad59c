// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The JSON form of statistics (docs/Calibration.md): one line a value, sorted
// by name, doubles with all their digits, so that files diff line by line and a
// round trip loses nothing.

#include "QDialect/PTQ/Statistics.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace qdialect;
namespace json = llvm::json;

static constexpr llvm::StringLiteral kFormat = "qdialect-statistics";
static constexpr int64_t kVersion = 2;

template <class T>
static json::Array toArray(const std::vector<T> &values) {
  json::Array array;
  array.reserve(values.size());
  for (T value : values)
    array.push_back(json::Value(value));
  return array;
}

static json::Object toJSON(const ValueStatistics &value) {
  json::Object object{
      {"count", value.count},
      {"min", value.min},
      {"max", value.max},
      {"sum", value.sum},
      {"sum_of_squares", value.sumOfSquares},
      {"histogram",
       json::Object{{"exponent", value.histogram.getExponent()},
                    {"first", value.histogram.getFirst()},
                    {"counts", toArray(value.histogram.getCounts())}}}};
  if (!value.channelSum.empty())
    object["channels"] =
        json::Object{{"min", toArray(value.channelMin)},
                     {"max", toArray(value.channelMax)},
                     {"sum", toArray(value.channelSum)},
                     {"sum_of_squares", toArray(value.channelSumOfSquares)}};
  return object;
}

std::string Statistics::print() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "{\"format\": \"" << kFormat << "\", \"version\": " << kVersion << ",\n"
     << " \"program\": " << json::Value(program) << ", \"samples\": " << samples
     << ",\n \"values\": {";
  const char *separator = "\n  ";
  for (const auto &[name, value] : values) {
    os << separator << json::Value(name) << ": " << json::Value(toJSON(value));
    separator = ",\n  ";
  }
  os << "\n }}\n";
  return text;
}

namespace {
/// Reads fields of one JSON object; the first failure is kept with its key.
struct Fields {
  const json::Object &object;
  std::string failed;

  template <class T>
  std::vector<T> array(llvm::StringRef key) {
    std::vector<T> result;
    const json::Array *array = object.getArray(key);
    if (!array) {
      fail(key);
      return result;
    }
    result.reserve(array->size());
    for (const json::Value &element : *array) {
      if constexpr (std::is_integral_v<T>) {
        if (std::optional<uint64_t> number = element.getAsUINT64()) {
          result.push_back(*number);
          continue;
        }
      } else if (std::optional<double> number = element.getAsNumber()) {
        result.push_back(static_cast<T>(*number));
        continue;
      }
      fail(key);
      return {};
    }
    return result;
  }
  double number(llvm::StringRef key) {
    std::optional<double> value = object.getNumber(key);
    if (!value || !std::isfinite(*value)) {
      fail(key);
      return 0;
    }
    return *value;
  }
  int64_t integer(llvm::StringRef key) {
    std::optional<int64_t> value = object.getInteger(key);
    if (!value) {
      fail(key);
      return 0;
    }
    return *value;
  }
  void fail(llvm::StringRef key) {
    if (failed.empty())
      failed = key.str();
  }
};
} // namespace

static llvm::Error fileError(llvm::StringRef path, const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 path + ": " + message);
}

/// Returns the empty string, or the key that is missing or wrong.
static std::string fromJSON(const json::Object &object,
                            ValueStatistics &value) {
  Fields fields{object, {}};
  int64_t count = fields.integer("count");
  if (count < 0)
    fields.fail("count");
  value.count = count;
  value.min = fields.number("min");
  value.max = fields.number("max");
  value.sum = fields.number("sum");
  value.sumOfSquares = fields.number("sum_of_squares");
  if (value.min > value.max)
    fields.fail("min");
  if (const json::Object *channels = object.getObject("channels")) {
    Fields inner{*channels, {}};
    value.channelMin = inner.array<float>("min");
    value.channelMax = inner.array<float>("max");
    value.channelSum = inner.array<double>("sum");
    value.channelSumOfSquares = inner.array<double>("sum_of_squares");
    if (value.channelMin.size() != value.channelSum.size() ||
        value.channelMax.size() != value.channelSum.size() ||
        value.channelSumOfSquares.size() != value.channelSum.size())
      inner.fail("sum");
    if (!inner.failed.empty())
      fields.fail("channels." + inner.failed);
  }
  const json::Object *histogram = object.getObject("histogram");
  if (!histogram) {
    fields.fail("histogram");
    return fields.failed;
  }
  Fields inner{*histogram, {}};
  int64_t exponent = inner.integer("exponent"), first = inner.integer("first");
  std::vector<uint64_t> counts = inner.array<uint64_t>("counts");
  if (inner.failed.empty() &&
      (!Histogram::fromParts(exponent, first, counts, value.histogram) ||
       (!value.histogram.empty() && value.histogram.total() != value.count)))
    inner.fail("counts");
  if (!inner.failed.empty())
    fields.fail("histogram." + inner.failed);
  return fields.failed;
}

llvm::Expected<Statistics> Statistics::parse(llvm::StringRef text,
                                             llvm::StringRef path) {
  llvm::Expected<json::Value> root = json::parse(text);
  if (!root)
    return fileError(path, "not a statistics file: " +
                               llvm::toString(root.takeError()));
  const json::Object *object = root->getAsObject();
  if (!object || object->getString("format").value_or("") != kFormat)
    return fileError(path, "not a statistics file: no \"format\": \"" +
                               kFormat + "\"");
  std::optional<int64_t> version = object->getInteger("version");
  if (version != kVersion)
    return fileError(path, "statistics version " +
                               llvm::Twine(version.value_or(0)) +
                               " is not supported (this is version " +
                               llvm::Twine(kVersion) + ")");
  std::optional<llvm::StringRef> program = object->getString("program");
  std::optional<int64_t> samples = object->getInteger("samples");
  const json::Object *values = object->getObject("values");
  if (!program || !samples || *samples < 0 || !values)
    return fileError(path, "key program, samples or values is missing");

  Statistics result;
  result.program = program->str();
  result.samples = *samples;
  for (const auto &[key, value] : *values) {
    const json::Object *fields = value.getAsObject();
    std::string failed = fields ? fromJSON(*fields, result.values[key.str()])
                                : std::string("(object)");
    if (!failed.empty())
      return fileError(path, "value '" + llvm::StringRef(key) + "': key " +
                                 failed + " is missing or wrong");
  }
  return result;
}

llvm::Expected<Statistics> Statistics::read(llvm::StringRef path) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return fileError(path, buffer.getError().message());
  return parse((*buffer)->getBuffer(), path);
}

llvm::Error Statistics::write(llvm::StringRef path) const {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    os << print();
    return llvm::Error::success();
  });
  if (error)
    return fileError(path, llvm::toString(std::move(error)));
  return llvm::Error::success();
}
