//! The README says what is so: what it prints is what the program prints, and its commands are understood.

use clap::Parser;
use landfall::cli::args::Args;

const README: &str = include_str!("../../README.md");

/// The blocks of code in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    README.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_finding_is_printed_as_the_program_prints_it() {
    let report = include_str!("../../samples/zoom-2020/expected/report.txt");
    let [shown] = blocks("text")[..] else { panic!("one report is shown") };
    assert!(report.starts_with(shown.trim_end()), "update the README from samples/zoom-2020/expected/report.txt");
}

#[test]
fn the_commands_are_understood() {
    let lines = blocks("sh").into_iter().flat_map(str::lines);
    let commands: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("landfall ").or_else(|| line.strip_prefix("cargo run --release -- ")))
        .collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let words = command.split('#').next().unwrap().split('>').next().unwrap().split_whitespace();
        #[cfg(not(feature = "live"))]
        if command.starts_with("watch") {
            continue;
        }
        #[cfg(not(feature = "fetch"))]
        if command.starts_with("db update") {
            continue;
        }
        #[cfg(not(feature = "live"))]
        if command.contains("--follow") {
            continue;
        }
        #[cfg(not(feature = "parquet"))]
        if command.contains("--archive") {
            continue;
        }
        if let Err(error) = Args::try_parse_from(std::iter::once("landfall").chain(words)) {
            panic!("{command}: {error}");
        }
    }
}
