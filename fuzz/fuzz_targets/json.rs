#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| goim_fuzz::json::run(data));
