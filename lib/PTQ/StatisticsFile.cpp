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
#include "llvm/Support/FormatVariadic.h"
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
/// Reads one value's entry; the first thing that is wrong with it is kept.
class EntryReader {
public:
  /// Returns the empty string, or what is wrong.
  std::string read(const json::Object &entry, ValueStatistics &value);

private:
  void readChannels(const json::Object &channels, ValueStatistics &value);
  void readHistogram(const json::Object &entry, ValueStatistics &value);
  void checkChannels(const ValueStatistics &value);

  double number(const json::Object &object, llvm::StringRef key);
  int64_t integer(const json::Object &object, llvm::StringRef key);
  template <class T>
  std::vector<T> array(const json::Object &object, llvm::StringRef key);

  void fail(const llvm::Twine &message) {
    if (failed.empty())
      failed = message.str();
  }
  void failKey(llvm::StringRef key) {
    fail("key " + prefix + key + " is missing or wrong");
  }

  std::string prefix; ///< of the keys of the object that is read
  std::string failed;
};
} // namespace

static llvm::Error fileError(llvm::StringRef path, const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 path + ": " + message);
}

static std::string text(double value) {
  return llvm::formatv("{0}", json::Value(value)).str();
}

double EntryReader::number(const json::Object &object, llvm::StringRef key) {
  std::optional<double> value = object.getNumber(key);
  if (!value || !std::isfinite(*value))
    failKey(key);
  return value.value_or(0);
}

int64_t EntryReader::integer(const json::Object &object, llvm::StringRef key) {
  std::optional<int64_t> value = object.getInteger(key);
  if (!value)
    failKey(key);
  return value.value_or(0);
}

template <class T>
std::vector<T> EntryReader::array(const json::Object &object,
                                  llvm::StringRef key) {
  std::vector<T> result;
  const json::Array *array = object.getArray(key);
  if (!array) {
    failKey(key);
    return result;
  }
  result.reserve(array->size());
  for (const json::Value &element : *array) {
    if constexpr (std::is_integral_v<T>) {
      std::optional<uint64_t> number = element.getAsUINT64();
      if (!number)
        failKey(key);
      result.push_back(number.value_or(0));
    } else {
      std::optional<double> number = element.getAsNumber();
      if (!number || !std::isfinite(static_cast<T>(*number)))
        fail("element " + llvm::Twine(result.size()) + " of " + prefix + key +
             " is no finite number");
      result.push_back(static_cast<T>(number.value_or(0)));
    }
  }
  return result;
}

void EntryReader::checkChannels(const ValueStatistics &value) {
  size_t channels = value.channelSum.size();
  auto sameLength = [&](llvm::StringRef key, size_t length) {
    if (length != channels)
      fail("channels." + key + " has " + llvm::Twine(length) +
           " elements, channels.sum " + llvm::Twine(channels));
  };
  sameLength("min", value.channelMin.size());
  sameLength("max", value.channelMax.size());
  sameLength("sum_of_squares", value.channelSumOfSquares.size());
  if (channels == 0 || value.count % channels != 0)
    fail("count " + llvm::Twine(value.count) + " is no multiple of " +
         llvm::Twine(channels) + " channels");
  if (!failed.empty())
    return;
  for (size_t i = 0; i < channels; ++i) {
    double low = value.channelMin[i], high = value.channelMax[i];
    std::string channel = "channel " + std::to_string(i);
    if (low > high)
      fail(channel + " has min " + text(low) + " above max " + text(high));
    if (low < value.min)
      fail(channel + " has min " + text(low) + " below min " + text(value.min) +
           " of all");
    if (high > value.max)
      fail(channel + " has max " + text(high) + " above max " +
           text(value.max) + " of all");
    if (value.channelSumOfSquares[i] < 0)
      fail(channel + " has sum_of_squares " +
           text(value.channelSumOfSquares[i]) + " below 0");
  }
}

void EntryReader::readChannels(const json::Object &channels,
                               ValueStatistics &value) {
  prefix = "channels.";
  value.channelMin = array<float>(channels, "min");
  value.channelMax = array<float>(channels, "max");
  value.channelSum = array<double>(channels, "sum");
  value.channelSumOfSquares = array<double>(channels, "sum_of_squares");
  prefix.clear();
  checkChannels(value);
}

void EntryReader::readHistogram(const json::Object &entry,
                                ValueStatistics &value) {
  const json::Object *histogram = entry.getObject("histogram");
  if (!histogram)
    return failKey("histogram");
  prefix = "histogram.";
  int64_t exponent = integer(*histogram, "exponent"),
          first = integer(*histogram, "first");
  std::vector<uint64_t> counts = array<uint64_t>(*histogram, "counts");
  if (!Histogram::fromParts(exponent, first, counts, value.histogram))
    failKey("counts");
  else if (!value.histogram.empty() && value.histogram.total() != value.count)
    fail("histogram.counts add up to " + llvm::Twine(value.histogram.total()) +
         ", count is " + llvm::Twine(value.count));
  prefix.clear();
}

std::string EntryReader::read(const json::Object &entry,
                              ValueStatistics &value) {
  int64_t count = integer(entry, "count");
  if (count < 0)
    fail("count " + llvm::Twine(count) + " is below 0");
  value.count = count;
  value.min = number(entry, "min");
  value.max = number(entry, "max");
  value.sum = number(entry, "sum");
  value.sumOfSquares = number(entry, "sum_of_squares");
  if (value.min > value.max)
    fail("min " + text(value.min) + " is above max " + text(value.max));
  if (value.sumOfSquares < 0)
    fail("sum_of_squares " + text(value.sumOfSquares) + " is below 0");
  if (const json::Object *channels = entry.getObject("channels"))
    readChannels(*channels, value);
  readHistogram(entry, value);
  return failed;
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
    std::string failed =
        fields ? EntryReader().read(*fields, result.values[key.str()])
               : std::string("is no object");
    if (!failed.empty())
      return fileError(path, "value '" + llvm::StringRef(key) + "': " + failed);
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
