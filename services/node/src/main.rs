//! The program `semblance`.

fn main() -> std::process::ExitCode {
    semblance_node::run(std::env::args_os())
}
