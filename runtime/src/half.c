/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The conversions to and from half precision that LLVM calls where a processor
 * has no instruction for them, under the names that it expects. Round to
 * nearest even, NaN stays NaN, subnormals are kept.
 */
#include <stdint.h>
#include <string.h>

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint16_t half_bits(float value) {
  uint32_t bits = bits_of(value);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  if (magnitude >= 0x477ff000) /* rounds to 2^16 or more */
    return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    /* Below 2^-14: adding 0.5 puts the last bit of a subnormal at 2^-24. */
    float shifted = float_of(magnitude) + 0.5f;
    return sign | (uint16_t)(bits_of(shifted) - bits_of(0.5f));
  }
  uint32_t odd = magnitude >> 13 & 1;
  return sign | (uint16_t)((magnitude - (112u << 23) + 0xfff + odd) >> 13);
}

static uint16_t brain_bits(float value) {
  uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The float toward zero from `value`, its last bit set if that was not exact:
 * rounding it again gives what one rounding would. */
static float round_to_odd(double value) {
  float near = (float)value;
  uint32_t bits = bits_of(near);
  if (near == value || value != value)
    return near;
  double size = value < 0 ? -value : value;
  double got = near < 0 ? -(double)near : (double)near;
  if (got > size)
    --bits;
  return float_of(bits | 1);
}

_Float16 __truncsfhf2(float value);
_Float16 __truncsfhf2(float value) {
  uint16_t bits = half_bits(value);
  _Float16 half;
  memcpy(&half, &bits, sizeof half);
  return half;
}

_Float16 __truncdfhf2(double value);
_Float16 __truncdfhf2(double value) {
  return __truncsfhf2(round_to_odd(value));
}

float __extendhfsf2(_Float16 half);
float __extendhfsf2(_Float16 half) {
  uint16_t bits;
  memcpy(&bits, &half, sizeof bits);
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
  uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) /* infinity, NaN made quiet */
    return float_of(sign | 0x7f800000 | (magnitude & 0x3ff) << 13 |
                    (magnitude > 0x7c00 ? 0x400000 : 0));
  /* The bits read as a float are the value times 2^-112. */
  float scaled = float_of(magnitude << 13) * 0x1p112f;
  return float_of(sign | bits_of(scaled));
}

__bf16 __truncsfbf2(float value);
__bf16 __truncsfbf2(float value) {
  uint16_t bits = brain_bits(value);
  __bf16 brain;
  memcpy(&brain, &bits, sizeof brain);
  return brain;
}

__bf16 __truncdfbf2(double value);
__bf16 __truncdfbf2(double value) { return __truncsfbf2(round_to_odd(value)); }
