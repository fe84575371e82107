#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| semblance_fuzz::channel_mls(bytes));
