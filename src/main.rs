//! The `landfall` program: a door to [`landfall::cli`].

fn main() -> std::process::ExitCode {
    landfall::cli::run()
}
