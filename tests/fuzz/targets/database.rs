#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("database"), |octets: &[u8]| landfall_fuzz::database(octets));
