#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("ip"), |octets: &[u8]| landfall_fuzz::ip(octets));
