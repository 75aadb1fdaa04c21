//! The echo bot answers each message once, although it is started twice.

use std::process::{Child, Command};
use std::time::Duration;

use futures_util::StreamExt;
use goim_client::{Client, Content};
use goim_server::{Config, Server};

struct Bot(Child);

impl Drop for Bot {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_it_answers_each_message_once_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        quic_listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: folder.path().into(),
        ..Config::default()
    };
    let server = Server::start(config).await.unwrap();
    let address = server.quic_addr().to_string();
    let fingerprint: String = server.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    let owner = Client::builder(address.as_str()).fingerprint(server.fingerprint()).connect().await.unwrap();
    owner.register("owner", "a long enough password").await.unwrap();
    let bot = owner.create_bot("echo").await.unwrap();
    let group = owner.create_group("lobby", &[bot.user]).await.unwrap();
    let mut messages = owner.subscribe(group);
    let start = || {
        let arguments = [address.as_str(), fingerprint.as_str(), bot.token.as_str()];
        Bot(Command::new(env!("CARGO_BIN_EXE_echo_bot")).args(arguments).spawn().unwrap())
    };

    for round in 0..3 {
        let text = format!("round {round}");
        let running = start();
        owner.send(group, Content::text(text.as_str())).await.unwrap().await.unwrap();
        let mut answer = None;
        while answer.is_none() {
            let message = tokio::time::timeout(Duration::from_secs(30), messages.next()).await;
            let message = message.expect("no answer came").expect("the client was closed");
            answer = (message.sender() == bot.user).then(|| message.text().unwrap());
        }
        // Each answer is the next one: an older one given twice would stand in between.
        assert_eq!(answer, Some(text));
        drop(running);
    }
    server.shutdown().await;
}
