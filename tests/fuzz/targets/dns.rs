#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("dns"), |octets: &[u8]| landfall_fuzz::dns(octets));
