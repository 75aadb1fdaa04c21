//! The server on goim-core alone, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn connect(address: &str) -> (TcpStream, impl FnMut() -> String) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    (stream, move || lines.next().unwrap().unwrap())
}

#[test]
fn messages_are_numbered_and_come_again_until_they_are_acknowledged() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_embed_core"))
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let _server = Server(child);
    let address = first.trim().strip_prefix("listening on ").unwrap().to_owned();

    let (mut ann, mut ann_hears) = connect(&address);
    let (mut ben, mut ben_hears) = connect(&address);
    writeln!(ann, "hello").unwrap();
    assert_eq!((ann_hears(), ben_hears()), ("1 hello".to_owned(), "1 hello".to_owned()));
    // Nobody said that it arrived.
    assert_eq!(ben_hears(), "1 hello");
    writeln!(ben, "/ack 1").unwrap();
    writeln!(ben, "hi").unwrap();
    let mut next = ben_hears();
    while next == "1 hello" {
        next = ben_hears();
    }
    assert_eq!(next, "2 hi");
}
