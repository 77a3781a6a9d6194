//! The benchmark itself, as short as can be: every kind of row runs and is told, and no request fails. No figure is looked
//! at: this machine may be busy with anything.

use bench::access::{Plan, run};

#[test]
fn every_row_of_access_runs_and_is_told() {
    let report = run(&Plan::smoke()).unwrap_or_else(|error| panic!("{error:#}"));
    let table = report.table();
    assert_eq!(report.failed(), 0, "{table}");

    let titles = ["ES256 uncached", "cached beside a flood", "for reference"];
    let rows = [
        vec!["ours", "jwt_authn"],
        vec![
            "no flood",
            "1000/s plain 401",
            "1000/s wrong signature",
            "1000/s unknown kid",
            "1000/s malformed",
        ],
        vec!["direct_response", "jwt_authn cached", "ours cached"],
    ];
    assert_eq!(report.groups.len(), titles.len(), "{table}");
    for ((group, title), expected) in report.groups.iter().zip(titles).zip(rows) {
        let names: Vec<&str> = group.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!((group.title.as_str(), names), (title, expected), "{table}");
        for row in &group.rows {
            assert_eq!(row.samples.len(), 1, "{table}");
            assert!(table.contains(&format!("  {} ", row.name)), "{table}");
        }
    }
    let ratios = report.groups.iter().map(|group| group.ratios.len());
    assert_eq!(ratios.collect::<Vec<_>>(), [1, 3, 0], "{table}");
    let json = report.json();
    assert_eq!(json["groups"][1]["rows"][4]["failed"], 0, "{json:#}");
}
