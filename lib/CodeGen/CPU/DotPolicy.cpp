// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Multiply-accumulate on each variant.

#include "DotPolicy.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Bytes of a register.
constexpr int64_t kNeon = 16, kYmm = 32, kZmm = 64;

/// Bytes that stay bytes in registers of a width: an accumulator register holds
/// one sum of each of its channels.
class BytePolicy : public CodeDotPolicy {
public:
  BytePolicy(Emitter &e, int64_t registerBytes)
      : CodeDotPolicy(e), registerBytes(registerBytes) {}

  SmallVector<Value> start(Value init) override {
    return cut(init, registerBytes / 4);
  }
  Value finish(ValueRange parts) override {
    SmallVector<Value> joined(parts);
    for (; joined.size() > 1; joined.resize(joined.size() / 2))
      for (size_t i = 0; i + 1 < joined.size(); i += 2)
        joined[i / 2] = e.concat(joined[i], joined[i + 1]);
    return joined[0];
  }
  SmallVector<Value> loadWeights(Value pointer) override {
    SmallVector<Value> parts;
    for (int64_t byte = 0; byte < kStepBytes; byte += registerBytes)
      parts.push_back(e.load(bytes(), byte ? e.at(pointer, byte) : pointer,
                             static_cast<unsigned>(registerBytes)));
    return parts;
  }
  SmallVector<Value> splitWeights(Value all) override {
    return cut(all, registerBytes);
  }
  Value spreadActivations(Value four) override {
    return e.bitcast(e.broadcast(four, sums()), bytes());
  }
  SmallVector<Value> splitActivations(Value all) override {
    return cut(all, registerBytes);
  }

protected:
  static constexpr int64_t kStepBytes = 4 * Emitter::kLanes;
  VectorType bytes() { return Emitter::vector(e.i8(), registerBytes); }
  VectorType sums() { return Emitter::vector(e.i32(), registerBytes / 4); }

  int64_t registerBytes;

private:
  SmallVector<Value> cut(Value vector, int64_t lanes) {
    int64_t all = cast<VectorType>(vector.getType()).getNumElements();
    if (lanes == all)
      return {vector};
    SmallVector<Value> parts;
    for (int64_t first = 0; first < all; first += lanes)
      parts.push_back(e.slice(vector, first, lanes));
    return parts;
  }
};

/// vpdpbusd: four unsigned by signed byte products summed into an i32 lane.
class VnniPolicy : public BytePolicy {
public:
  using BytePolicy::BytePolicy;
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    // Without AVX-512 the same intrinsic becomes the VEX instruction.
    StringRef name = registerBytes == 64 ? "llvm.x86.avx512.vpdpbusd.512"
                                         : "llvm.x86.avx512.vpdpbusd.256";
    for (auto [accumulator, weight] : llvm::zip(accumulators, weights))
      accumulator =
          e.intrinsic(name, sums(), {accumulator, activations, weight});
  }
};

/// usdot of AArch64, which is vpdpbusd of 128 bits.
class UsdotPolicy : public BytePolicy {
public:
  using BytePolicy::BytePolicy;
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    for (auto [accumulator, weight] : llvm::zip(accumulators, weights))
      accumulator = e.intrinsic("llvm.aarch64.neon.usdot.v4i32.v16i8", sums(),
                                {accumulator, activations, weight});
  }
};

/// udot of AArch64, unsigned by unsigned: weights gain 128, and the last
/// accumulators hold what that adds: one to all channels of the row, or one
/// each where channels have codes of their own.
class UdotPolicy : public BytePolicy {
public:
  UdotPolicy(Emitter &e, int64_t registerBytes, bool byChannel)
      : BytePolicy(e, registerBytes), byChannel(byChannel) {}

  SmallVector<Value> start(Value init) override {
    SmallVector<Value> parts = BytePolicy::start(init);
    parts.append(byChannel ? parts.size() : 1, e.constantInt(sums(), 0));
    return parts;
  }
  Value finish(ValueRange parts) override {
    size_t count = byChannel ? parts.size() / 2 : parts.size() - 1;
    SmallVector<Value> exact;
    for (size_t i = 0; i < count; ++i)
      exact.push_back(arith::SubIOp::create(
          e, parts[i], byChannel ? parts[count + i] : parts.back()));
    return BytePolicy::finish(exact);
  }
  SmallVector<Value> loadWeights(Value pointer) override {
    return raised(BytePolicy::loadWeights(pointer));
  }
  SmallVector<Value> splitWeights(Value all) override {
    return raised(BytePolicy::splitWeights(all));
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    for (auto [accumulator, weight] :
         llvm::zip(accumulators.drop_back(), weights))
      dot(accumulator, activations, weight);
    dot(accumulators.back(), activations, e.constantInt(bytes(), kRaise));
  }
  void accumulateByChannel(MutableArrayRef<Value> accumulators,
                           ArrayRef<Value> activations,
                           ArrayRef<Value> weights) override {
    for (size_t i = 0; i < weights.size(); ++i) {
      dot(accumulators[i], activations[i], weights[i]);
      dot(accumulators[weights.size() + i], activations[i],
          e.constantInt(bytes(), kRaise));
    }
  }

private:
  static constexpr int64_t kRaise = -128; // as a byte: 128 unsigned
  bool byChannel;

  void dot(Value &accumulator, Value activations, Value weight) {
    accumulator = e.intrinsic("llvm.aarch64.neon.udot.v4i32.v16i8", sums(),
                              {accumulator, activations, weight});
  }
  SmallVector<Value> raised(SmallVector<Value> parts) {
    for (Value &part : parts)
      part = arith::XOrIOp::create(e, part, e.constantInt(bytes(), kRaise));
    return parts;
  }
};

/// vpmaddubsw, vpmaddwd by ones, vpaddd: exact for weights of at most 64 steps,
/// 2 * 255 * 64 < 2^15.
class NarrowPolicy : public BytePolicy {
public:
  using BytePolicy::BytePolicy;
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    bool isWide = registerBytes == 64;
    StringRef ofBytes =
        isWide ? "llvm.x86.avx512.pmaddubs.w.512" : "llvm.x86.avx2.pmadd.ub.sw";
    StringRef ofWords =
        isWide ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd";
    auto words = Emitter::vector(e.getI16Type(), registerBytes / 2);
    Value ones = e.constantInt(words, 1);
    for (auto [accumulator, weight] : llvm::zip(accumulators, weights)) {
      Value pairs = e.intrinsic(ofBytes, words, {activations, weight});
      Value fours = e.intrinsic(ofWords, sums(), {pairs, ones});
      accumulator = arith::AddIOp::create(e, accumulator, fours);
    }
  }
};

/// Bytes widened to i16, vpmaddwd, vpaddd: exact, unlike vpmaddubsw. An
/// accumulator register holds two partial sums of each of its channels.
class WordPolicy : public CodeDotPolicy {
public:
  WordPolicy(Emitter &e, int64_t registerBytes)
      : CodeDotPolicy(e), numWords(registerBytes / 2) {}

  SmallVector<Value> start(Value init) override {
    Value zero = e.constantInt(init.getType(), 0);
    SmallVector<Value> parts;
    for (int64_t part = 0; part < numParts(); ++part) {
      SmallVector<int64_t> lanes;
      for (int64_t channel = 0; channel < numWords / 4; ++channel) {
        lanes.push_back(numWords / 4 * part + channel);
        lanes.push_back(Emitter::kLanes); // a zero
      }
      parts.push_back(vector::ShuffleOp::create(e, init, zero, lanes));
    }
    return parts;
  }
  Value finish(ValueRange parts) override {
    Value low = parts[0], high = parts[1];
    if (parts.size() == 4) {
      low = e.concat(parts[0], parts[1]);
      high = e.concat(parts[2], parts[3]);
    }
    SmallVector<int64_t> even, odd;
    for (int64_t lane = 0; lane < 2 * Emitter::kLanes; lane += 2) {
      even.push_back(lane);
      odd.push_back(lane + 1);
    }
    return arith::AddIOp::create(e,
                                 vector::ShuffleOp::create(e, low, high, even),
                                 vector::ShuffleOp::create(e, low, high, odd));
  }
  SmallVector<Value> loadWeights(Value pointer) override {
    SmallVector<Value> parts;
    auto bytes = Emitter::vector(e.i8(), numWords);
    for (int64_t part = 0; part < numParts(); ++part)
      parts.push_back(
          arith::ExtSIOp::create(e, words(),
                                 e.load(bytes, e.at(pointer, numWords * part),
                                        static_cast<unsigned>(numWords))));
    return parts;
  }
  SmallVector<Value> splitWeights(Value bytes) override {
    return splitBytes<arith::ExtSIOp>(bytes);
  }
  SmallVector<Value> splitActivations(Value bytes) override {
    return splitBytes<arith::ExtUIOp>(bytes);
  }
  Value spreadActivations(Value four) override {
    Value bytes =
        e.bitcast(e.broadcast(four, Emitter::vector(e.i32(), numWords / 4)),
                  Emitter::vector(e.i8(), numWords));
    return arith::ExtUIOp::create(e, words(), bytes);
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    auto type = Emitter::vector(e.i32(), numWords / 2);
    StringRef name = numWords == 32 ? "llvm.x86.avx512.pmaddw.d.512"
                                    : "llvm.x86.avx2.pmadd.wd";
    for (auto [accumulator, weight] : llvm::zip(accumulators, weights)) {
      Value pairs = e.intrinsic(name, type, {activations, weight});
      accumulator = arith::AddIOp::create(e, accumulator, pairs);
    }
  }

private:
  /// Registers that the 64 bytes of a step take as words.
  int64_t numParts() { return 4 * Emitter::kLanes / numWords; }
  VectorType words() { return Emitter::vector(e.getI16Type(), numWords); }
  /// The registers of words that the bytes of a step become.
  template <typename Extension>
  SmallVector<Value> splitBytes(Value bytes) {
    SmallVector<Value> parts;
    for (int64_t part = 0; part < numParts(); ++part)
      parts.push_back(Extension::create(
          e, words(), e.slice(bytes, numWords * part, numWords)));
    return parts;
  }

  int64_t numWords;
};

/// Plain vector ops that any target has: one product of 16 channels a code.
class PortablePolicy : public CodeDotPolicy {
public:
  using CodeDotPolicy::CodeDotPolicy;

  SmallVector<Value> start(Value init) override { return {init}; }
  Value finish(ValueRange accumulators) override { return accumulators[0]; }
  SmallVector<Value> loadWeights(Value pointer) override {
    return splitWeights(e.load(Emitter::vector(e.i8(), 64), pointer, 16));
  }
  SmallVector<Value> splitWeights(Value bytes) override {
    SmallVector<Value> parts;
    for (int64_t k = 0; k < 4; ++k) {
      SmallVector<int64_t> lanes;
      for (int64_t channel = 0; channel < 16; ++channel)
        lanes.push_back(4 * channel + k);
      Value codes = vector::ShuffleOp::create(e, bytes, bytes, lanes);
      parts.push_back(
          arith::ExtSIOp::create(e, Emitter::vector(e.i32()), codes));
    }
    return parts;
  }
  Value spreadActivations(Value four) override { return four; }
  SmallVector<Value> splitActivations(Value bytes) override {
    return {e.bitcast(bytes, Emitter::vector(e.i32()))};
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    Type type = activations.getType();
    for (auto [k, weight] : llvm::enumerate(weights)) {
      Value shifted = arith::ShRUIOp::create(
          e, activations, e.constantInt(type, 8 * static_cast<int64_t>(k)));
      Value all = arith::AndIOp::create(e, shifted, e.constantInt(type, 255));
      if (!isa<VectorType>(type))
        all = e.broadcast(all, Emitter::vector(e.i32()));
      accumulators[0] = arith::AddIOp::create(
          e, accumulators[0], arith::MulIOp::create(e, all, weight));
    }
  }
};

/// One float a step; fused where the machine fuses.
class FloatPolicy : public DotPolicy {
public:
  using DotPolicy::DotPolicy;
  VectorType lanes() { return Emitter::vector(e.f32()); }

  SmallVector<Value> start(Value init) override { return {init}; }
  Value finish(ValueRange accumulators) override { return accumulators[0]; }
  SmallVector<Value> loadWeights(Value pointer) override {
    return {e.load(lanes(), pointer, 64)};
  }
  Value loadActivations(Value pointer) override {
    return e.broadcast(e.load(e.f32(), pointer, 4), lanes());
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    if (e.target.isa == CpuTarget::Scalar)
      accumulators[0] = arith::AddFOp::create(
          e, accumulators[0],
          arith::MulFOp::create(e, activations, weights[0]));
    else
      accumulators[0] =
          math::FmaOp::create(e, activations, weights[0], accumulators[0]);
  }
};

} // namespace

std::unique_ptr<DotPolicy> DotPolicy::create(Emitter &e, bool isFloat) {
  if (isFloat)
    return std::make_unique<FloatPolicy>(e);
  return CodeDotPolicy::create(e);
}

void CodeDotPolicy::accumulateByChannel(MutableArrayRef<Value> accumulators,
                                        ArrayRef<Value> activations,
                                        ArrayRef<Value> weights) {
  if (activations.size() == 1)
    return accumulate(accumulators, activations[0], weights);
  for (auto [i, activation] : llvm::enumerate(activations))
    accumulate(accumulators.slice(i, 1), activation, weights.slice(i, 1));
}

std::unique_ptr<CodeDotPolicy> CodeDotPolicy::create(Emitter &e, bool isNarrow,
                                                     bool byChannel) {
  switch (e.target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
    return std::make_unique<VnniPolicy>(e, kZmm);
  case CpuTarget::AVXVNNI:
    return std::make_unique<VnniPolicy>(e, kYmm);
  case CpuTarget::AVX512:
  case CpuTarget::AVX2: {
    int64_t registerBytes = e.target.hasAvx512() ? kZmm : kYmm;
    if (isNarrow)
      return std::make_unique<NarrowPolicy>(e, registerBytes);
    return std::make_unique<WordPolicy>(e, registerBytes);
  }
  case CpuTarget::I8MM:
    return std::make_unique<UsdotPolicy>(e, kNeon);
  case CpuTarget::DotProd:
    return std::make_unique<UdotPolicy>(e, kNeon, byChannel);
  case CpuTarget::NEON:
  case CpuTarget::Scalar:
    return std::make_unique<PortablePolicy>(e);
  }
  llvm_unreachable("unknown instruction set");
}

TileShape DotPolicy::tileShape(const CpuTarget &target, bool isFloat,
                               int64_t panelVectors, bool pointers,
                               bool isNarrow) {
  switch (target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
  case CpuTarget::AVX512: {
    // rows * vectors accumulators, the weights, and two registers for
    // broadcasts must fit 32; rows with own pointers must fit the 15 address
    // registers.
    static constexpr int64_t rows[] = {0, 14, 12, 8, 6};
    // Without vpdpbusd narrow codes need ones and a product, others two
    // accumulators for each vector.
    static constexpr int64_t narrowRows[] = {0, 14, 12, 8, 5};
    if (target.hasDotProduct() || isFloat || isNarrow) {
      int64_t most = target.hasDotProduct() || isFloat
                         ? rows[panelVectors]
                         : narrowRows[panelVectors];
      return {pointers ? std::min<int64_t>(most, 8) : most, panelVectors};
    }
    if (panelVectors == 1)
      return {pointers ? 8 : 12, 1};
    return {6, 2};
  }
  case CpuTarget::AVXVNNI:
    // Of 16 registers: an accumulator takes two.
    return {6, 1};
  case CpuTarget::AVX2:
    // Of 16 registers: an accumulator takes four, narrow codes two.
    return {isFloat ? 6 : isNarrow ? 5 : 3, 1};
  case CpuTarget::I8MM:
    // Of 32 registers: an accumulator takes four, as do the weights.
    return {6, 1};
  case CpuTarget::DotProd:
    return {isFloat ? 6 : 4, 1}; // five for codes
  case CpuTarget::NEON:
    return {isFloat ? 6 : 2, 1};
  case CpuTarget::Scalar:
    return {isFloat ? 2 : 1, 1};
  }
  llvm_unreachable("unknown instruction set");
}

std::string dotInstruction(const CpuTarget &target, bool isFloat,
                           bool isNarrow) {
  switch (target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
    return isFloat ? "vfmadd231ps zmm" : "vpdpbusd zmm";
  case CpuTarget::AVXVNNI:
    return isFloat ? "vfmadd231ps ymm" : "vpdpbusd ymm";
  case CpuTarget::AVX512:
    return isFloat    ? "vfmadd231ps zmm"
           : isNarrow ? "vpmaddubsw zmm"
                      : "vpmaddwd zmm";
  case CpuTarget::AVX2:
    return isFloat    ? "vfmadd231ps ymm"
           : isNarrow ? "vpmaddubsw ymm"
                      : "vpmaddwd ymm";
  case CpuTarget::Scalar:
    return isFloat ? "mulps xmm" : "pmaddwd xmm";
  case CpuTarget::I8MM:
    return isFloat ? "fmla v" : "usdot v";
  case CpuTarget::DotProd:
    return isFloat ? "fmla v" : "udot v";
  case CpuTarget::NEON:
    return isFloat ? "fmla v" : "mla v";
  }
  llvm_unreachable("unknown instruction set");
}

} // namespace qdialect::cpu
