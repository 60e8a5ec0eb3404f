#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("tls"), |octets: &[u8]| landfall_fuzz::tls(octets));
