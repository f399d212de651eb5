//! The command line: arguments, one file per command, and how results are shown.
//!
//! Standard output is only the result; progress, warnings and errors go to standard error.

mod act;
mod adopt;
mod args;
mod backfill;
mod baseline;
mod check;
mod command;
mod completions;
mod context;
mod contract;
mod declare;
mod declared;
mod difference;
mod duration;
mod exit;
mod expand;
mod failure;
mod flaws;
mod fleet;
mod forget;
mod gate;
mod generate;
mod given;
mod horizon;
mod instance;
mod json;
#[cfg(feature = "serve")]
mod kubernetes;
mod log;
mod logging;
mod man;
mod markdown;
mod named;
mod numbering;
mod out;
mod outcome;
mod paint;
mod past_gate;
mod plan;
mod prepare;
mod progress;
mod recording;
mod rehearse;
mod renumber;
mod report;
mod resolve;
mod revert;
mod rollout;
mod rows_repaired;
mod scaffold;
mod schema;
mod schemas_renamed;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod statements;
mod status;
mod summed;
mod text;
mod trouble;
mod uses;
mod version_from;
mod watching;

use clap::{CommandFactory, Parser};

use command::{Cli, Command};
use exit::Exit;
use failure::Failure;
use logging::Logging;
use out::{Out, Purpose};

use crate::interrupt::{Ending, Interrupt};
use crate::text::shown::shown;

/// Parses the arguments, runs the command and returns the process's exit code.
#[must_use]
pub fn main() -> u8 {
    if let Some(answer) = completions::answer(Cli::command) {
        let out = Out::new(args::Format::Text);
        out.verbatim(String::from_utf8_lossy(&answer).trim_end());
        return out.exit_code(0, Purpose::Tells);
    }
    let mut cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let out = Out::of(&cli.global);
    let logging = Logging::start(&cli.global);
    if heeds_interrupts(&cli.command) {
        let format = cli.global.output;
        cli.global.interrupt = Interrupt::listen(move |ending| {
            if ending == Ending::AtOnce {
                Failure::interrupted().show(&Out::new(format));
            }
            std::process::exit(Exit::Interrupted.code().into());
        });
    }
    let span = logging.command(&cli.command);
    let ran = span.in_scope(|| run(&cli, &out));
    let code = match ran {
        Ok(code) => code,
        Err(failure) => {
            let failure = match purpose(&cli.command) {
                Purpose::Tells => failure.of_a_question(),
                Purpose::Acts => failure,
            };
            failure.show(&out);
            failure.exit_code()
        }
    };
    out.tell_flaws();
    let code = out.exit_code(code, purpose(&cli.command));
    logging.finish(&span, code);
    code
}

/// Shows the help that was asked for, or what is wrong with the arguments.
fn unparsed(error: &clap::Error) -> u8 {
    let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code());
    if error.use_stderr() {
        if is_for_a_program(std::env::args_os()) {
            Out::new(args::Format::Json).json(&misused(error));
        }
        out::note_usage(&error.render());
        return code;
    }
    let out = Out::new(args::Format::Text);
    if let Err(unwritten) = error.print() {
        out.fail(unwritten);
    }
    out.exit_code(code, Purpose::Tells)
}

/// Whether arguments that could not be read ask for JSON: a program that calls this one has to be able to read the answer.
fn is_for_a_program(arguments: impl Iterator<Item = std::ffi::OsString>) -> bool {
    let own: Vec<_> = arguments.take_while(|argument| argument != "--").collect();
    let names_it = |pair: &[std::ffi::OsString]| matches!(pair, [option, value] if option == "--output" && value == "json");
    own.iter().any(|argument| argument == "--output=json") || own.windows(2).any(names_it)
}

/// What is wrong with the arguments, as every other error is told to a program.
fn misused(error: &clap::Error) -> serde_json::Value {
    use clap::error::ErrorKind;
    let text = error.render().to_string();
    let (message, help) = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => (
            "a command is missing",
            "`migrate --help` lists the commands",
        ),
        _ => {
            let (first, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
            (first.trim_start_matches("error: ").trim(), rest.trim())
        }
    };
    let help = Some(help).filter(|help| !help.is_empty());
    serde_json::json!({ "error": { "message": message, "help": help } })
}

/// The agent passes signals on; what is over at once needs no order, and ends as any program does.
const fn heeds_interrupts(command: &Command) -> bool {
    match command {
        Command::Init
        | Command::New(_)
        | Command::Generate(_)
        | Command::Renumber(_)
        | Command::Completions(_)
        | Command::Schema(_)
        | Command::Man(_)
        | Command::Agent(_) => false,
        Command::Admit(_)
        | Command::Adopt(_)
        | Command::Check(_)
        | Command::Rehearse(_)
        | Command::Show(_)
        | Command::Repair(_)
        | Command::Status(_)
        | Command::Fleet(_)
        | Command::Plan(_)
        | Command::Prepare(_)
        | Command::Rollout(_)
        | Command::Gate(_)
        | Command::Uses(_)
        | Command::Log(_)
        | Command::Expand(_)
        | Command::Backfill(_)
        | Command::Contract(_)
        | Command::Revert(_)
        | Command::Resolve(_) => true,
        #[cfg(feature = "serve")]
        Command::Serve(_) | Command::Kubernetes(_) => true,
    }
}

/// What is missed where the result does not arrive.
const fn purpose(command: &Command) -> Purpose {
    match command {
        Command::Check(_)
        | Command::Rehearse(_)
        | Command::Completions(_)
        | Command::Show(_)
        | Command::Status(_)
        | Command::Plan(_)
        | Command::Gate(_)
        | Command::Uses(_)
        | Command::Log(_) => Purpose::Tells,
        Command::Rollout(rollout) => match rollout.command {
            Some(rollout::RolloutCommand::Status) => Purpose::Tells,
            _ => Purpose::Acts,
        },
        Command::Fleet(fleet) => match fleet.command {
            Some(_) => Purpose::Acts,
            None => Purpose::Tells,
        },
        #[cfg(feature = "serve")]
        Command::Kubernetes(_) => Purpose::Tells,
        Command::Schema(args) if !args.write => Purpose::Tells,
        Command::Backfill(backfill) if backfill.dry_run && backfill.command.is_none() => {
            Purpose::Tells
        }
        Command::Contract(contract) if contract.dry_run => Purpose::Tells,
        Command::Init
        | Command::Adopt(_)
        | Command::New(_)
        | Command::Generate(_)
        | Command::Renumber(_)
        | Command::Schema(_)
        | Command::Man(_)
        | Command::Repair(_)
        | Command::Prepare(_)
        | Command::Expand(_)
        | Command::Backfill(_)
        | Command::Contract(_)
        | Command::Revert(_)
        | Command::Resolve(_)
        | Command::Admit(_)
        | Command::Agent(_) => Purpose::Acts,
        #[cfg(feature = "serve")]
        Command::Serve(_) => Purpose::Acts,
    }
}

/// The arguments, or what is wrong with them, in which they are shown as data.
fn parse() -> Result<Cli, clap::Error> {
    Cli::try_parse().map_err(|error| {
        let plain = std::env::args_os().map(|argument| {
            let argument = argument.to_string_lossy();
            shown(&argument).into_owned()
        });
        // The same arguments fail in the same way, unless a hidden character was all that was wrong.
        Cli::try_parse_from(plain).err().unwrap_or(error)
    })
}

/// Whether `migrate` accepts these arguments, which leave out the program's name. Does nothing else: it is how a test
/// checks the command lines that the documents show.
///
/// # Errors
///
/// What `migrate` would say about them.
pub fn accepts(arguments: impl IntoIterator<Item = String>) -> Result<(), clap::Error> {
    let cli = Cli::try_parse_from(std::iter::once("migrate".to_owned()).chain(arguments))?;
    if let Some((message, _)) = wrong_format(&cli) {
        return Err(clap::Error::raw(
            clap::error::ErrorKind::ArgumentConflict,
            format!("{message}\n"),
        ));
    }
    Ok(())
}

/// What is wrong with a format that this command does not know, and what it does know.
fn wrong_format(cli: &Cli) -> Option<(&'static str, &'static str)> {
    let format = cli.global.output;
    if format == args::Format::Mermaid && !matches!(cli.command, Command::Plan(_)) {
        return Some((
            "only a plan can be drawn as a diagram",
            "`--output mermaid` is for `migrate plan`; write `--output text` or `json`",
        ));
    }
    let is_shown = match &cli.command {
        Command::Check(args) => args.finds(),
        Command::Plan(_) | Command::Gate(_) => format == args::Format::Markdown,
        _ => false,
    };
    (check::is_of_findings(format) && !is_shown).then_some((
        "this command has no such format",
        "`--output github`, `gitlab`, `sarif` and `junit` are for `migrate check`, and `markdown` for `plan` and `gate` as well; write `--output text` or `json`",
    ))
}

fn run(cli: &Cli, out: &Out) -> Result<u8, Failure> {
    if let Some((message, help)) = wrong_format(cli) {
        return Err(Failure::new(message).help(help).usage());
    }
    if let Some(dir) = &cli.global.project {
        std::env::set_current_dir(dir).map_err(|error| {
            Failure::new(format!("`{}` cannot be entered: {error}", dir.display()))
                .help("give -C the directory that holds migrate.toml")
        })?;
    }
    // Splits in two, which has to come before there is a runtime.
    let agent = match &cli.command {
        Command::Agent(args) => Some(instance::prepare_agent(args, &cli.global)?),
        _ => None,
    };
    // One thread is enough for what waits on one database.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime cannot be started: {error}")))?;
    let global = &cli.global;
    match &cli.command {
        Command::Init => scaffold::init(global, out),
        Command::Adopt(args) => runtime.block_on(adopt::run(args, global, out)),
        Command::New(args) => runtime.block_on(scaffold::new(args, global, out)),
        Command::Generate(args) => runtime.block_on(generate::run(args, global, out)),
        Command::Show(args) => runtime
            .block_on(asking(show::run(args, global, out), global))
            .map_err(Failure::of_a_question),
        Command::Repair(args) => runtime.block_on(show::repair(args, global, out)),
        Command::Check(args) => runtime.block_on(asking(check::run(args, global, out), global)),
        Command::Rehearse(args) => runtime.block_on(rehearse::run(args, global, out)),
        Command::Renumber(args) => runtime.block_on(renumber::run(args, global, out)),
        Command::Completions(args) => completions::run(args, out),
        Command::Schema(args) => schema::run(args, out),
        Command::Man(args) => man::run(args, Cli::command(), out),
        Command::Status(args) => runtime.block_on(asking(status::run(args, global, out), global)),
        Command::Fleet(args) => match &args.command {
            Some(command) => runtime.block_on(forget::run(command, &args.recording, global, out)),
            None => runtime.block_on(asking(fleet::run(&args.recording, global, out), global)),
        },
        Command::Plan(args) => runtime.block_on(asking(plan::run(args, global, out), global)),
        Command::Prepare(args) => runtime.block_on(prepare::run(args, global, out)),
        Command::Rollout(args) => runtime.block_on(rollout::run(args, global, out)),
        Command::Gate(args) => runtime.block_on(asking(gate::run(args, global, out), global)),
        Command::Uses(args) => runtime.block_on(asking(uses::run(args, global, out), global)),
        Command::Log(args) => runtime.block_on(asking(log::run(args, global, out), global)),
        Command::Expand(args) => runtime.block_on(expand::run(args, global, out)),
        Command::Backfill(args) => runtime.block_on(backfill::run(args, global, out)),
        Command::Contract(args) => runtime.block_on(contract::run(args, global, out)),
        Command::Revert(args) => runtime.block_on(revert::run(args, global, out)),
        Command::Resolve(args) => runtime.block_on(resolve::run(args, global, out)),
        Command::Admit(args) => runtime.block_on(instance::admit(args, global, out)),
        Command::Agent(_) => runtime.block_on(instance::agent(agent, out)),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(args, global, out),
        #[cfg(feature = "serve")]
        Command::Kubernetes(args) => {
            runtime.block_on(asking(kubernetes::run(args, global, out), global))
        }
    }
}

/// How long a statement that was cancelled may take to end, before nobody waits for it any more.
const LEFT_BEHIND: std::time::Duration = std::time::Duration::from_secs(5);

/// A command that changes nothing may be left wherever it is.
async fn asking(
    command: impl Future<Output = Result<u8, Failure>>,
    global: &args::Global,
) -> Result<u8, Failure> {
    let left = async {
        global.interrupt.due().await;
        tokio::time::sleep(LEFT_BEHIND).await;
    };
    tokio::select! {
        ended = command => ended,
        () = left => Err(Failure::interrupted()),
    }
}
