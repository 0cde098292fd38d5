//! The simulator as a program, for clients in other processes and other languages. It runs until Ctrl-C.

use std::io;
use std::net::IpAddr;

use clap::Parser;
use cloudflare_access_simulator::{API_TOKEN, Simulator};

/// The service-token API of Cloudflare Access in memory, on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// The loopback address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The API token to accept; any text without spaces.
    #[arg(long, default_value = API_TOKEN)]
    api_token: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Arguments { port, host, api_token } = Arguments::parse();
    let simulator = Simulator::builder().host(host).port(port).api_token(&api_token).start().await?;
    println!("{}", introduction(&simulator, &api_token));
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}

fn introduction(simulator: &Simulator, api_token: &str) -> String {
    let (origin, base_url) = (simulator.origin(), simulator.base_url());
    let (account, zone) = (simulator.account().id(), simulator.zone().id());
    format!(
        "\
listening on {origin}

  CLOUDFLARE_BASE_URL={base_url}
  CLOUDFLARE_API_TOKEN={api_token}
  account {account}
  zone    {zone}

try
  curl -H 'Authorization: Bearer {api_token}' {base_url}/accounts/{account}/access/service_tokens

control routes, no credential
  POST   {origin}/simulator/authenticate  {{\"client_id\": \"…\", \"client_secret\": \"…\"}}
  POST   {origin}/simulator/faults        {{\"kind\": \"close\", \"operation\": \"create\", \"moment\": \"after-commit\"}}
  GET    {origin}/simulator/faults        what has still to happen
  DELETE {origin}/simulator/faults
  POST   {origin}/simulator/latency       {{\"latency_ms\": 50}}
  GET    {origin}/simulator/clock
  POST   {origin}/simulator/clock         {{\"advance_seconds\": 31536000}}
  POST   {origin}/simulator/in-use        {{\"token_id\": \"…\", \"in_use\": true}}
  GET    {origin}/simulator/requests      what was received
  DELETE {origin}/simulator/requests
  GET    {origin}/simulator/commits       what was changed

Ctrl-C stops it."
    )
}
