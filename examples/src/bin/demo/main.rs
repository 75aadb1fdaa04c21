//! goim in one command: a server with the embedded store, and a few bots that talk.
//!
//! `cargo run --release --bin demo`
#![allow(clippy::print_stdout, reason = "a demo talks to people")]

mod member;
mod table;

use std::error::Error;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use futures_util::StreamExt;
use goim_client::{Client, Content, ConversationId};
use goim_server::{Config, LogFormat, Server};
use rand::RngExt;

use member::Member;
use table::Table;

const NAMES: [&str; 4] = ["ada", "ben", "cleo", "dan"];
/// Between two messages of one bot.
const PACE: Duration = Duration::from_millis(5);
const REDRAW: Duration = Duration::from_millis(250);
/// Between two questions to whoever joins later.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// The last entries are on their way for no longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a server with the embedded store, lets a few bots talk, and keeps serving.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long the bots talk.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Ends when they have talked.
    #[arg(long)]
    exit: bool,
    /// Where the store, the certificate and the keys are kept.
    #[arg(long, default_value = "goim-data")]
    data: PathBuf,
    /// Where clients connect.
    #[arg(long, default_value = "127.0.0.1:4433")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    goim_server::init_logs(Some("warn"), LogFormat::Text);
    let config =
        Config { quic_listen: arguments.listen, data_dir: arguments.data.clone(), ..Config::default() };
    let server = Server::start(config).await?;
    let stage = Stage::set(&server).await?;
    println!("A server on {}, its store in {}.\n", stage.address, arguments.data.display());
    stage.talk(Duration::from_secs(arguments.seconds)).await?;
    if !arguments.exit {
        tokio::select! {
            ended = stage.host() => ended?,
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        println!("\nStopping.");
    }
    server.shutdown().await;
    Ok(())
}

/// Everybody who takes part.
struct Stage {
    address: String,
    fingerprint: String,
    owner: Client,
    group: ConversationId,
    members: Vec<Member>,
    run: u32,
}

impl Stage {
    async fn set(server: &Server) -> Result<Self, Box<dyn Error>> {
        let address = server.quic_addr().to_string();
        let run: u32 = rand::rng().random();
        let owner = Client::builder(address.as_str()).fingerprint(server.fingerprint()).connect().await?;
        // Nobody logs in by this password again.
        let password: String =
            rand::rng().random_iter::<u8>().take(16).map(|byte| format!("{byte:02x}")).collect();
        owner.register(&format!("demo-{run:08x}"), &password).await?;
        let mut bots = Vec::new();
        for name in NAMES {
            bots.push((name, owner.create_bot(&format!("{name}-{run:08x}")).await?));
        }
        let users: Vec<_> = bots.iter().map(|(_, bot)| bot.user).collect();
        let group = owner.create_group("lobby", &users).await?;
        let mut members = Vec::new();
        for (name, bot) in bots {
            let builder = Client::builder(address.as_str()).fingerprint(server.fingerprint());
            members.push(Member::join(name, builder.token(bot.token).connect().await?, group));
        }
        let fingerprint = server.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { address, fingerprint, owner, group, members, run })
    }

    /// Lets the bots talk while a table shows how far everybody is.
    async fn talk(&self, time: Duration) -> Result<(), Box<dyn Error>> {
        let mut table = Table::new(std::io::stdout().is_terminal());
        let talking = futures_util::future::try_join_all(
            self.members.iter().map(|member| member.talk(self.group, time, PACE)),
        );
        tokio::pin!(talking);
        let mut ticks = tokio::time::interval(REDRAW);
        let sent = loop {
            tokio::select! {
                sent = &mut talking => break sent?,
                _ = ticks.tick() => self.draw(&mut table, false).await?,
            }
        };
        let all: u64 = sent.iter().sum();
        let delivered = async {
            for member in &self.members {
                member.has_read(all).await;
            }
        };
        tokio::time::timeout(PATIENCE, delivered).await.map_err(|_| "somebody did not get every message")?;
        for member in &self.members {
            member.client.committed().await?;
        }
        self.draw(&mut table, true).await?;
        println!(
            "\n{all} messages sent, acknowledged, delivered to {} members and committed.",
            self.members.len()
        );
        Ok(())
    }

    async fn draw(&self, table: &mut Table, last: bool) -> Result<(), Box<dyn Error>> {
        let mut rows = Vec::new();
        for member in &self.members {
            rows.push(member.progress(self.group).await?);
        }
        table.draw(&rows, last);
        Ok(())
    }

    /// Says what to try next, and talks to whoever comes.
    async fn host(&self) -> Result<(), Box<dyn Error>> {
        let bot = self.owner.create_bot(&format!("echo-{:08x}", self.run)).await?;
        self.owner.add_members(self.group, &[bot.user]).await?;
        println!("\nThe server goes on. In another terminal, run a bot that says what it is told:\n");
        println!(
            "  cargo run --release --bin echo_bot -- {} {} {}\n",
            self.address, self.fingerprint, bot.token
        );
        println!("Its answers will show up here. Then read examples/src/bin/echo_bot.rs: it is 15 lines.");
        println!("Ctrl-C stops the server; the messages stay.\n");
        let mut messages = self.owner.subscribe(self.group);
        let mut ask = tokio::time::interval(ASK_EVERY);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return Ok(()) };
                    if message.sender() == bot.user && let Some(text) = message.text() {
                        println!("  echo bot, number {}: {text}", message.seq());
                    }
                }
                _ = ask.tick() => {
                    let asked = self.owner.send(self.group, Content::text("is anybody there?")).await?;
                    drop(asked);
                }
            }
        }
    }
}
