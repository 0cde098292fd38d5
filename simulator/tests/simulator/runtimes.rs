//! Where the simulator runs, and that it ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};

use cloudflare_access_simulator::{Fault, FaultKind, Simulator};

use crate::client::{Client, connect};
use crate::within::{LIMIT, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_on_several_threads() {
    let simulator = Simulator::start().await.expect("a simulator");
    assert_eq!(Client::new(&simulator).list(simulator.account(), "").await.status, 200);
    simulator.stop().await;
}

#[test]
fn it_runs_on_its_own_thread_for_a_caller_that_blocks() {
    let simulator = Simulator::builder().start_on_thread().expect("a simulator");
    let mut tcp = TcpStream::connect(simulator.address()).expect("a connection");
    tcp.set_read_timeout(Some(LIMIT)).expect("a limit");
    tcp.write_all(b"GET /simulator/clock HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let mut kept = TcpStream::connect(simulator.address()).expect("a connection");
    kept.set_read_timeout(Some(LIMIT)).expect("a limit");
    drop(simulator);
    match kept.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("the connection is not closed: {other:?}"),
    }
}

#[tokio::test]
async fn stop_closes_the_port_and_every_connection_even_one_that_waits_for_ever() {
    let simulator = Simulator::builder().fault(FaultKind::NeverAnswer).start().await.expect("a simulator");
    let address = simulator.address();
    let idle = connect(&simulator).await;
    let client = Client::new(&simulator);
    let mut waiting = connect(&simulator).await;
    let path = crate::client::path(cloudflare_access_simulator::Operation::List, simulator.account(), "");
    let answer = tokio::spawn(waiting.send_request(client.request("GET", &path, "")));
    within("a request", simulator.wait_for_requests(1)).await;
    within("the end of the simulator", simulator.stop()).await;
    assert!(within("the end of the request", answer).await.expect("no panic").is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    for host in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv4Addr::new(192, 0, 2, 1).into(), Ipv6Addr::UNSPECIFIED.into()]
    {
        let error = Simulator::builder().host(host).start().await.expect_err("refused");
        assert!(error.to_string().contains(&host.to_string()), "{error}");
    }
    let simulator = Simulator::builder().host(Ipv6Addr::LOCALHOST.into()).start().await.expect("a simulator");
    assert_eq!(simulator.base_url(), format!("http://[::1]:{}/client/v4", simulator.address().port()));
}

#[tokio::test]
async fn a_fault_that_contradicts_itself_does_not_start() {
    let fault = Fault::new(FaultKind::UnsuccessfulOk).after_commit();
    let error = Simulator::builder().fault(fault).start().await.expect_err("refused");
    assert!(error.to_string().contains("unsuccessful-ok at AfterCommit"), "{error}");
}

#[tokio::test]
async fn a_simulator_that_never_accepts_lets_nobody_connect() {
    let simulator = Simulator::builder().never_accepts().start().await.expect("a simulator");
    let connecting = tokio::net::TcpStream::connect(simulator.address());
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), connecting).await.is_err());
    assert_eq!((simulator.connections(), simulator.request_count()), (0, 0));
    simulator.stop().await;
}

#[tokio::test]
async fn a_seed_makes_ids_and_secrets_repeat() {
    let seeded = |seed| async move { Simulator::builder().seed(seed).start().await.expect("a simulator") };
    let issue = |simulator: &Simulator| {
        let issued = simulator.add_token(simulator.account(), "same");
        (issued.token.id, issued.token.client_id, issued.client_secret)
    };
    assert_eq!(issue(&seeded(7).await), issue(&seeded(7).await));
    assert_ne!(issue(&seeded(7).await), issue(&seeded(8).await));
}
