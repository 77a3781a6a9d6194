//! An account whose summary is long: more than any socket or window holds, so that its answer can be stopped half-way.

use e2e::{Call, Version};

use super::scene::Scene;

/// Entries of the account.
pub const ENTRIES: usize = 2_000;
/// How many are written at once: below the streams that a connection may have.
const TOGETHER: usize = 100;
/// A description that makes entries large.
const DESCRIPTION_BYTES: usize = 200;
/// The account, the same for every round of an attack.
pub const CUSTOMER: &str = "long-history";

/// Makes the account when there is none yet, and returns its summary.
pub async fn prepare(scene: &mut Scene<'_>) -> String {
    let on = scene.on();
    let mut client = scene.client(Version::Http2).await;
    if scene.round == 0 {
        let text = "d".repeat(DESCRIPTION_BYTES);
        let body = format!(r#"{{"points":1,"description":"{text}"}}"#);
        let add = Call::add(CUSTOMER, body).bearer(&scene.token);
        for _ in 0..ENTRIES / TOGETHER {
            for answer in client.send_together(&vec![add.clone(); TOGETHER]).await {
                let answer = answer.unwrap_or_else(|error| panic!("{on}: {error}"));
                assert_eq!(answer.brief(), "201 ", "{on}");
            }
        }
    }
    let summary = client
        .send(&Call::summary(CUSTOMER).bearer(&scene.token))
        .await
        .unwrap_or_else(|error| panic!("{on}: {error}"));
    let text = summary.text();
    let active = format!(r#""activePoints":{ENTRIES},"#);
    assert!(text.contains(&active), "{on}: {}", summary.brief());
    text
}
