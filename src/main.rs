//! A doorbell: the library does the work.

fn main() -> std::process::ExitCode {
    provider_secrets::cli::main()
}
