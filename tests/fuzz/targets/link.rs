#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("link"), |octets: &[u8]| landfall_fuzz::link(octets));
