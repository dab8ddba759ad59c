// RUN: q-opt %s --convert-quant-to-qd -split-input-file -verify-diagnostics

func.func @narrow_storage(%x: tensor<4xf32>) -> tensor<4x!quant.uniform<i8<-127:127>:f32, 0.5>> {
  // expected-error@+1 {{storage range [-127, 127] is narrower than its 8 bits, which qd.quantize cannot saturate to}}
  %q = quant.qcast %x : tensor<4xf32> to tensor<4x!quant.uniform<i8<-127:127>:f32, 0.5>>
  return %q : tensor<4x!quant.uniform<i8<-127:127>:f32, 0.5>>
}

// -----

func.func @wide_storage(%x: tensor<4xf32>) -> tensor<4x!quant.uniform<i32:f32, 0.5>> {
  // expected-error@+1 {{quantizing to 32 bits is wider than 16}}
  %q = quant.qcast %x : tensor<4xf32> to tensor<4x!quant.uniform<i32:f32, 0.5>>
  return %q : tensor<4x!quant.uniform<i32:f32, 0.5>>
}

// -----

func.func @not_a_tensor(%q: !quant.uniform<i8:f32, 0.5>) -> f32 {
  // expected-error@+1 {{quantized cast of type '!quant.uniform<i8:f32, 5.000000e-01>' is not on a ranked tensor}}
  %x = quant.dcast %q : !quant.uniform<i8:f32, 0.5> to f32
  return %x : f32
}

// -----

func.func @not_uniform(%q: tensor<4x!quant.any<i8:f32>>) -> tensor<4xf32> {
  // expected-error@+1 {{quantized type '!quant.any<i8:f32>' is not uniform}}
  %x = quant.dcast %q : tensor<4x!quant.any<i8:f32>> to tensor<4xf32>
  return %x : tensor<4xf32>
}
