#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("meter"), |octets: &[u8]| landfall_fuzz::meter(octets));
