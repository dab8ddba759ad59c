// RUN: q-opt %s -qd-verify-integer-only -split-input-file -verify-diagnostics

func.func @softmax(%q: tensor<4xi8>, %s: tensor<f32>) -> tensor<4xf32> attributes {qd.integer_only} {
  // expected-error@+1 {{layer 'x' computes in floats by 'qd.dequantize', and the recipe wants integers alone}}
  %x = qd.dequantize %q scale %s {qd.name = "x"} : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  // expected-error@+1 {{layer 'prob' computes in floats by 'qd.softmax', and the recipe wants integers alone: its scales have no integer softmax}}
  %p = qd.softmax %x axis = 0 {qd.name = "prob", qd.fallback = "its scales have no integer softmax"} : tensor<4xf32>
  return %p : tensor<4xf32>
}

// -----

// Inside a payload, too: a rescaling by a float.
func.func @payload(%acc: tensor<4xi32>) -> tensor<4xi8> attributes {qd.integer_only} {
  %e = tensor.empty() : tensor<4xi8>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%acc : tensor<4xi32>) outs(%e : tensor<4xi8>) attrs = {qd.name = "fc"} {
  ^bb0(%a: i32, %o: i8):
    %s = arith.constant 0.5 : f32
    %z = arith.constant 0 : i32
    // expected-error@+1 {{layer 'fc' computes in floats by 'qd.requantize'}}
    %c = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
    linalg.yield %c : i8
  } -> tensor<4xi8>
  return %y : tensor<4xi8>
}
