//! The help texts are part of the program: a change of them is seen in review.

use clap::CommandFactory;
use semblance_node::Program;

/// The long help of a command and, after it, of each of its subcommands.
fn help_of(command: &mut clap::Command, path: &str, texts: &mut Vec<(String, String)>) {
    let path = format!("{path} {}", command.get_name()).trim().to_owned();
    texts.push((path.clone(), command.render_long_help().to_string()));
    for sub in command.get_subcommands_mut() {
        if sub.get_name() != "help" {
            help_of(sub, &path, texts);
        }
    }
}

#[test]
fn help_texts_stand() {
    let mut command = Program::command().term_width(100);
    command.build();
    let mut texts = Vec::new();
    help_of(&mut command, "", &mut texts);
    assert!(texts.len() > 1);
    for (path, text) in texts {
        insta::assert_snapshot!(path.replace(' ', "-"), text);
    }
}
