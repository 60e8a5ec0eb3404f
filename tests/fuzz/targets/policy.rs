#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("policy"), |octets: &[u8]| landfall_fuzz::policy(octets));
