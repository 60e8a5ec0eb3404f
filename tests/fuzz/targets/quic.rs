#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("quic"), |octets: &[u8]| landfall_fuzz::quic(octets));
