// One case for each constraint label of the element types.
// RUN: q-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{width 17 is outside [1, 16] and neither 32 nor 64}}
func.func private @uint_c1_width(!qd.uint<17>)

// -----

// expected-error@+1 {{exponent bits 9 are outside [1, 8]}}
func.func private @minifloat_c1_exponent_bits(!qd.minifloat<e = 9, m = 1, bias = 1, specials = none>)

// -----

// expected-error@+1 {{mantissa bits 11 are outside [0, 10]}}
func.func private @minifloat_c2_mantissa_bits(!qd.minifloat<e = 4, m = 11, bias = 1, specials = none>)

// -----

// expected-error@+1 {{bias 513 is outside [-512, 512]}}
func.func private @minifloat_c3_bias(!qd.minifloat<e = 4, m = 3, bias = 513, specials = none>)

// -----

// expected-error@+1 {{e1m0 with specials ieee has no finite value besides zero}}
func.func private @minifloat_c4_no_finite_value(!qd.minifloat<e = 1, m = 0, bias = 0, specials = ieee>)

// -----

// expected-error@+1 {{codebook size 1 is no power of two in [2, 65536]}}
func.func private @codebook_c1_size(!qd.codebook<1>)

// -----

// expected-error@+1 {{codebook size 10 is no power of two in [2, 65536]}}
func.func private @codebook_c1_power(!qd.codebook<10>)
