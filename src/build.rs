//! Says what to install when libpcap is missing, before the linker would say it worse.

use std::path::Path;
use std::process::{Command, exit};

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=LIBPCAP_LIBDIR");
    if std::env::var_os("CARGO_FEATURE_LIVE").is_none() || libpcap_is_there() {
        return;
    }
    println!(
        "cargo::error=libpcap is not installed. Live capture needs it: `apt-get install libpcap-dev` (Debian, Ubuntu), \
         `dnf install libpcap-devel` (Fedora), `brew install libpcap` (macOS); or build without live capture: \
         `cargo build --no-default-features`"
    );
    exit(1);
}

/// True where a link with `-lpcap` would succeed: asks the C compiler that will link.
fn libpcap_is_there() -> bool {
    if let Some(folder) = std::env::var_os("LIBPCAP_LIBDIR") {
        return Path::new(&folder).is_dir();
    }
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return true;
    }
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let found = |name: &str| {
        Command::new(&compiler)
            .arg(format!("-print-file-name={name}"))
            .output()
            .is_ok_and(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_absolute())
    };
    found("libpcap.so") || found("libpcap.a")
}
