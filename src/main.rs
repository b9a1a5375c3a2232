//! `flink-operator`: runs the operator, and answers what can be answered without a cluster.
//!
//! This is the outermost layer: command line, settings, composition, and HTTP pages. It decides
//! nothing about resources, and reads the environment exactly once.

mod args;
mod cluster;
mod config_files;
mod crds;
mod explain;
mod render;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, ConfigCommand};

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Render(args) => render::run(&args),
        Command::Crds(args) => crds::run(args.command.as_ref()),
        Command::Config(ConfigCommand::Explain { key }) => explain::run(key.as_deref()),
    }
}
