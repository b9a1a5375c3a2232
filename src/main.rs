//! `flink-operator`: runs the operator, and answers what can be answered without a cluster.
//!
//! This is the outermost layer: command line, settings, composition, and HTTP pages. It decides
//! nothing about resources, and reads the environment exactly once.

mod args;
mod cluster;
mod config_files;
mod crds;
mod explain;
mod http;
mod log;
mod render;
mod run;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::args::{Args, Command, ConfigCommand};
use crate::run::Ended;

fn main() -> ExitCode {
    match carry_out(Args::parse().command) {
        Ok(Ended::AsAsked) => ExitCode::SUCCESS,
        Ok(Ended::LostLease) => ExitCode::from(3),
        Ok(Ended::CutOff) => ExitCode::from(4),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<Ended> {
    let done = match command {
        Command::Run(args) => return run::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Crds(args) => crds::run(&args),
        Command::Config(ConfigCommand::Explain { key }) => explain::run(key.as_deref()),
    };
    done.map(|()| Ended::AsAsked)
}
