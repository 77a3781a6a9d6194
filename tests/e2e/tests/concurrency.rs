//! Many clients want the same points at once, through several workers and through several gateways: one gets them.

use std::net::SocketAddr;
use std::sync::Arc;

use e2e::{Call, Client, Combination, Stack, Version, everywhere, on_every_gateway, run};
use testbed::GatewayKind;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

everywhere!(one_of_fifty_redemptions_through_two_workers_wins);
on_every_gateway!(one_of_fifty_redemptions_through_two_gateways_wins);

const CLIENTS: usize = 50;
const ROUNDS: usize = 20;

fn one_of_fifty_redemptions_through_two_workers_wins(on: Combination) {
    run(async {
        let stack = Stack::start(on);
        rounds(&stack, &[stack.address()]).await;
        if on.gateway == GatewayKind::Envoy {
            // What was shown was shown of two workers.
            let stats = stack.gateway.stats().expect("counters");
            for worker in ["worker_0", "worker_1"] {
                let name = format!("{worker}.downstream_cx_total");
                let connections = stats
                    .iter()
                    .find(|(own, _)| own.starts_with("listener.") && own.ends_with(&name));
                assert!(
                    connections.is_some_and(|(_, count)| count > 0),
                    "{on}: {worker} had no connection: {connections:?}"
                );
            }
        }
        stack.assert_no_vm_was_reloaded();
    });
}

fn one_of_fifty_redemptions_through_two_gateways_wins(on: Combination) {
    run(async {
        let stack = Stack::start(on);
        let second = stack.second_gateway();
        rounds(&stack, &[stack.address(), second.address()]).await;
        let stats = second.stats().expect("counters");
        assert_eq!(stats.vm_reloads(), 0, "{on}: the second gateway");
        stack.assert_no_vm_was_reloaded();
    });
}

/// Each round: 100 points, and every client, on a connection that it keeps, redeems all of them at the same moment.
async fn rounds(stack: &Stack, gateways: &[SocketAddr]) {
    let on = stack.combination();
    let token: Arc<str> = stack.token("acme").into();
    let mut clients = Vec::new();
    for gateway in gateways.iter().cycle().take(CLIENTS) {
        let client = Client::connect(*gateway, Version::Http1).await;
        clients.push(client.unwrap_or_else(|error| panic!("{on}: {error}")));
    }
    for round in 1..=ROUNDS {
        let customer = format!("round-{round}");
        let first = clients.first_mut().expect("a client");
        let add = Call::add(&customer, r#"{"points":100}"#).bearer(&token);
        let added = first.send(&add).await.expect("an answer");
        assert_eq!(added.status, 201, "{on}: {}", added.brief());

        let start = Arc::new(Barrier::new(CLIENTS));
        let mut redemptions = JoinSet::new();
        for mut client in clients.drain(..) {
            let redeem = Call::redeem(&customer, r#"{"points":100}"#).bearer(&token);
            let start = Arc::clone(&start);
            redemptions.spawn(async move {
                start.wait().await;
                let answer = client.send(&redeem).await;
                (client, answer)
            });
        }
        let mut statuses = Vec::new();
        while let Some(redeemed) = redemptions.join_next().await {
            let (client, answer) = redeemed.expect("a client's task");
            let answer = answer.unwrap_or_else(|error| panic!("{on}, round {round}: {error}"));
            assert!(
                matches!(answer.status, 201 | 400),
                "{on}, round {round}: {}",
                answer.brief()
            );
            statuses.push(answer.status);
            clients.push(client);
        }
        let won = statuses.iter().filter(|status| **status == 201).count();
        assert_eq!((won, statuses.len()), (1, CLIENTS), "{on}, round {round}");

        // Every gateway sees the same end of it.
        for client in clients.iter_mut().take(2) {
            let summary = client.send(&Call::summary(&customer).bearer(&token)).await;
            let summary = summary.expect("an answer").text();
            let redeemed = summary.matches(r#""allPointsAfterCreation":0}"#).count();
            assert!(
                summary.contains(r#""activePoints":0,"#) && redeemed == 1,
                "{on}, round {round}: {summary}"
            );
        }
    }
}
