//! A bot that says what it is told: `cargo run --bin echo_bot -- ADDRESS FINGERPRINT TOKEN`.

use goim_client::{Bot, Client, Start};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [address, fingerprint, token] = arguments()?;
    // From the beginning: what was said before it first ran is answered too.
    let builder = Client::builder(address).fingerprint_hex(&fingerprint)?.token(token);
    let client = builder.start(Start::Beginning).connect().await?;
    Bot::new(client).answer(|_, text| Some(text.to_owned())).await?;
    Ok(())
}

fn arguments() -> Result<[String; 3], &'static str> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    given.try_into().map_err(|_| "usage: echo_bot ADDRESS FINGERPRINT TOKEN (the demo prints all three)")
}
