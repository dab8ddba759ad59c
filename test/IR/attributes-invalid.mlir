// One case for each constraint label of the discardable attributes of qd.
// RUN: q-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{qd.nmae is no attribute of the qd dialect}}
func.func private @attributes_c1_unknown(tensor<4xf32> {qd.nmae = "x"})

// -----

// expected-error@+1 {{qd.dims does not stand on functions}}
func.func private @attributes_c2_dims(tensor<?xf32>) attributes {qd.dims = ["n"]}

// -----

// expected-error@+1 {{qd.phase does not stand on functions}}
func.func private @attributes_c2_phase() attributes {qd.phase = "import"}

// -----

// expected-error@+1 {{qd.macs does not stand on arguments}}
func.func private @attributes_c2_macs(tensor<4xf32> {qd.macs = 3 : i64})

// -----

// expected-error@+1 {{qd.dims does not stand on results}}
func.func private @attributes_c2_result() -> (tensor<4xf32> {qd.dims = [4]})

// -----

func.func @attributes_c2_operation(%x: tensor<4xf32>) {
  // expected-error@+1 {{qd.program does not stand on such operations}}
  %0 = qd.silu %x {qd.program = "0"} : tensor<4xf32>
  return
}

// -----

// expected-error@+1 {{qd.phase is "disptach", not import, normalize, calibrate, quantize, integerize or dispatch}}
module attributes {qd.phase = "disptach"} {}

// -----

// expected-error@+1 {{qd.phase is "emit", not import, normalize, calibrate, quantize, integerize or dispatch}}
module attributes {qd.phase = "emit"} {}

// -----

// expected-error@+1 {{qd.rescale_mode is "exact", not float or dyadic}}
func.func private @attributes_c3_rescale_mode() attributes {qd.rescale_mode = "exact"}

// -----

// expected-error@+1 {{qd.recipe is unit, not a string}}
func.func private @attributes_c3_recipe() attributes {qd.recipe}

// -----

// expected-error@+1 {{qd.name is 3 : i64, not a string}}
func.func private @attributes_c3_name(tensor<4xf32> {qd.name = 3 : i64})

// -----

// expected-error@+1 {{qd.codes is tensor<4xi8>, not an alphabet}}
func.func private @attributes_c3_codes() -> (tensor<4xf32> {qd.codes = tensor<4xi8>})

// -----

func.func @attributes_c3_macs(%x: tensor<4xf32>) {
  // expected-error@+1 {{qd.macs is -1 : i64, not an i64 number from 0 on}}
  %0 = qd.silu %x {qd.macs = -1 : i64} : tensor<4xf32>
  return
}

// -----

func.func @attributes_c3_acc_bound(%x: tensor<4xf32>) {
  // expected-error@+1 {{qd.acc_bound is array<i64: 3, 2>, not two i64 numbers in order}}
  %0 = qd.silu %x {qd.acc_bound = array<i64: 3, 2>} : tensor<4xf32>
  return
}

// -----

func.func @attributes_c3_acc_bound_count(%x: tensor<4xf32>) {
  // expected-error@+1 {{qd.acc_bound is array<i64: 3>, not two i64 numbers in order}}
  %0 = qd.silu %x {qd.acc_bound = array<i64: 3>} : tensor<4xf32>
  return
}

// -----

func.func @attributes_c3_error(%x: tensor<4xf32>) {
  // expected-error@+1 {{qd.error_lsb is 1.000000e+00 : f32, not an f64 number from 0 on}}
  %0 = qd.silu %x {qd.error_lsb = 1.0 : f32} : tensor<4xf32>
  return
}

// -----

func.func @attributes_c3_requested(%x: tensor<4xf32>) {
  // expected-error@+1 {{qd.requested is unit, not a string}}
  %0 = qd.silu %x {qd.requested} : tensor<4xf32>
  return
}

// -----

// expected-error@+1 {{qd.dims of argument 0 are ["b"], but its type is 'tensor<?x4xf32>'}}
func.func private @attributes_c4_rank(tensor<?x4xf32> {qd.dims = ["b"]})

// -----

// expected-error@+1 {{qd.dims of argument 1 are ["b", 9], but its type is 'tensor<?x4xf32>'}}
func.func private @attributes_c4_number(f32, tensor<?x4xf32> {qd.dims = ["b", 9]})

// -----

// expected-error@+1 {{qd.dims of argument 0 are [8, 4], but its type is 'tensor<?x4xf32>'}}
func.func private @attributes_c4_no_name(tensor<?x4xf32> {qd.dims = [8, 4]})

// -----

// expected-error@+1 {{qd.dims of argument 0 are ["b"], but its type is 'f32'}}
func.func private @attributes_c4_scalar(f32 {qd.dims = ["b"]})

// -----

// expected-error@+1 {{arguments 0 and 2 have the same qd.name "x"}}
func.func private @attributes_c5_arguments(f32 {qd.name = "x"}, f32, f32 {qd.name = "x"})

// -----

// expected-error@+1 {{results 0 and 1 have the same qd.name "y"}}
func.func private @attributes_c5_results(f32 {qd.name = "y"}) -> (f32 {qd.name = "y"}, f32 {qd.name = "y"})
