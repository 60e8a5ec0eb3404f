//! The floor plan holds: use goes down only, and nothing below the drivers touches a clock, the environment, a thread or
//! the network.

use std::fs;
use std::path::{Path, PathBuf};

/// Which modules a module may use. Layers as in `lib.rs`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("diag", &[]),
    ("wire", &["model"]),
    ("meter", &["model", "wire"]),
    ("source", &["model", "diag", "wire", "meter"]),
    ("locate", &["model"]),
    ("policy", &["model", "diag"]),
    ("audit", &["model", "locate", "policy"]),
    ("report", &["model", "diag"]),
    ("fetch", &["model", "diag", "source", "locate"]),
    ("run", &["model", "diag", "wire", "meter", "source", "locate", "policy", "audit", "report"]),
    ("cli", &["model", "diag", "wire", "meter", "source", "locate", "policy", "audit", "report", "run", "fetch"]),
];

/// What layer 3 alone may touch.
const DRIVERS_ONLY: &[&str] = &[
    "std::env",
    "env::var",
    "std::thread",
    "thread::spawn",
    "SystemTime",
    "Instant::now",
    "std::process",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "tokio::",
    "ureq::",
];

const DRIVERS: &[&str] = &["run", "fetch", "cli"];

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file with the module of the floor plan that it belongs to. Build script, generators and the two crate
/// roots stand outside it.
fn files() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    let mut folders = vec![source_folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("generate.rs") {
                let inside = path.strip_prefix(source_folder()).unwrap().to_path_buf();
                let mut parts = inside.iter().map(|part| part.to_str().unwrap().to_owned());
                let module = parts.next().unwrap();
                if parts.next().is_some() {
                    files.push((module, path));
                }
            }
        }
    }
    files.sort();
    files
}

/// A source text without its comments and without the tests at its end.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]").next().unwrap_or_default();
    body.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules that a text of `module` uses, by `crate::name`, as far as it may not.
fn upward_arrows(module: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{module}: not in the floor plan")];
    };
    let code = code(text);
    let mut used: Vec<&str> = Vec::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        used.extend(names.iter().map(|name| {
            let name = name.trim_start();
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            &name[..end]
        }));
    }
    let known = |name: &str| MAY_USE.iter().any(|(module, _)| *module == name);
    used.retain(|name| known(name) && *name != module && !allowed.contains(name));
    used.into_iter().map(|name| format!("{module} -> {name}")).collect()
}

#[test]
fn use_goes_down_only() {
    let files = files();
    assert!(files.len() > 15, "the source was found");
    let mut wrong = Vec::new();
    for (module, path) in files {
        let text = fs::read_to_string(&path).unwrap();
        wrong.extend(upward_arrows(&module, &text).into_iter().map(|arrow| format!("{}: {arrow}", path.display())));
    }
    assert!(wrong.is_empty(), "arrows that go up:\n{}", wrong.join("\n"));
}

#[test]
fn an_injected_upward_arrow_is_found() {
    let inject = |module, text| upward_arrows(module, text);
    assert_eq!(inject("model", "use crate::audit::Auditor;"), ["model -> audit"]);
    assert_eq!(inject("wire", "use crate::{model::Addr, meter::Meter};"), ["wire -> meter"]);
    assert_eq!(inject("policy", "fn f() { crate::locate::discover(&[]) }"), ["policy -> locate"]);
    assert_eq!(inject("cli", "use crate::run::batch;"), [""; 0]);
    assert_eq!(inject("model", "// use crate::audit::Auditor;"), [""; 0]);
    assert_eq!(inject("newcomer", ""), ["newcomer: not in the floor plan"]);
}

#[test]
fn only_drivers_touch_the_world() {
    for (module, path) in files() {
        if DRIVERS.contains(&module.as_str()) {
            continue;
        }
        let code = code(&fs::read_to_string(&path).unwrap());
        for word in DRIVERS_ONLY {
            assert!(!code.contains(word), "{} uses {word}: that is for the drivers", path.display());
        }
    }
}
