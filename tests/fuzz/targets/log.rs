#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("log"), |octets: &[u8]| landfall_fuzz::log(octets));
