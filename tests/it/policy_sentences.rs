//! Policies and flows of somebody who knew nothing but the sentences that say what a policy means: each test in them carries
//! the number of its sentence, and the decision was reasoned by hand before the evaluator was asked.

use std::path::Path;

use landfall::audit::rehearse;
use landfall::diag::{Colour, render_text};
use landfall::policy::{Library, Policy};

#[test]
fn the_decisions_are_those_of_the_sentences() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policy/sentences"));
    let mut paths: Vec<_> =
        folder.read_dir().expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut wrong = String::new();
    let mut decisions = 0;
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("a text");
        let origin = path.display().to_string();
        let parsed = Policy::parse(&origin, &text, Library::embedded());
        let Some(policy) = parsed.policy else {
            wrong += &render_text(&origin, &text, &parsed.diagnostics, Colour::Never);
            continue;
        };
        let runs = rehearse(&policy);
        decisions += runs.len();
        let failures: Vec<_> = runs.into_iter().filter_map(|run| run.failure).collect();
        if !failures.is_empty() {
            wrong += &render_text(&origin, &text, &failures, Colour::Never);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!((paths.len(), decisions), (41, 238), "nothing was left out");
}
