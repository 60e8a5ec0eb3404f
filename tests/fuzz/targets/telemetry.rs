#![no_main]

libfuzzer_sys::fuzz_target!(init: landfall_fuzz::begin("telemetry"), |octets: &[u8]| landfall_fuzz::telemetry(octets));
