//! The man page and the completion scripts, made from the command line's own description.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output;

pub fn print_completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "access-tokens", &mut script);
    output::write(&String::from_utf8_lossy(&script))
}

/// One page with all commands: the first page's text, then each command's synopsis and options.
pub fn print_man_page() -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    let rendered = man.render(&mut page).and_then(|()| {
        command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help").try_for_each(|subcommand| {
            writeln!(page, ".SH \"{}\"", subcommand.get_bin_name().unwrap_or_default().to_uppercase())?;
            let man = clap_mangen::Man::new(subcommand.clone());
            man.render_description_section(&mut page)?;
            man.render_synopsis_section(&mut page)?;
            man.render_options_section(&mut page)
        })
    });
    rendered.map_err(|error| Failure::defect(format!("the man page cannot be made: {error}")))?;
    output::write(&String::from_utf8_lossy(&page))
}
