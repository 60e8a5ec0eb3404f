#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("capture"), |octets: &[u8]| landfall_fuzz::capture(octets));
