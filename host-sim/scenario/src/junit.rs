//! What was played as JUnit XML, for those who collect test results: a suite for each driver, a case for each scenario.

use std::fmt::Write as _;

use crate::play::Verdict;
use crate::run::{Played, tally};

/// The document.
#[must_use]
pub fn document(played: &[Played], drivers: &[&str]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for driver in drivers {
        let tally = tally(played, driver);
        let own = || played.iter().filter(|it| it.driver == *driver);
        let seconds: f64 = own().map(|it| it.took.as_secs_f64()).sum();
        // Writing into a text cannot fail.
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{driver}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{seconds:.3}\">",
            own().count(),
            tally.failed,
            tally.cannot_run,
        );
        own().for_each(|one| case(&mut xml, one));
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, one: &Played) {
    let path = one.path.display().to_string();
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        escaped(&path),
        escaped(&one.scenario),
        one.took.as_secs_f64(),
    );
    let _ = match &one.verdict {
        Verdict::Passed => writeln!(xml, "/>"),
        Verdict::Failed(failure) => writeln!(
            xml,
            ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
            escaped(&format!("{path}:{} {}", failure.line, failure.place)),
            escaped(&failure.words),
        ),
        Verdict::CannotRun(reason) => writeln!(
            xml,
            ">\n      <skipped message=\"{}\"/>\n    </testcase>",
            escaped(reason),
        ),
    };
}

/// As XML has it; characters that XML 1.0 cannot have at all are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' | '\r' => out.push(' '),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::Failure;
    use std::time::Duration;

    #[test]
    fn every_play_is_a_case_and_nothing_breaks_out_of_its_place() {
        let played = |driver, verdict| Played {
            path: "a/b.yaml".into(),
            scenario: "less < more & \"so\"\u{1}".to_owned(),
            driver,
            verdict,
            took: Duration::from_millis(1_500),
        };
        let failure = Failure {
            line: 7,
            place: "when[0].then".to_owned(),
            words: "status: expected <1>,\ngot 2".to_owned(),
        };
        let xml = document(
            &[
                played("core", Verdict::Passed),
                played("core", Verdict::Failed(failure)),
                played("envoy", Verdict::CannotRun("no \"clock\"".to_owned())),
            ],
            &["core", "envoy"],
        );
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuites>\n  \
            <testsuite name=\"core\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"3.000\">\n    \
            <testcase classname=\"a/b.yaml\" name=\"less &lt; more &amp; &quot;so&quot;\" time=\"1.500\"/>\n    \
            <testcase classname=\"a/b.yaml\" name=\"less &lt; more &amp; &quot;so&quot;\" time=\"1.500\">\n      \
            <failure message=\"a/b.yaml:7 when[0].then\">status: expected &lt;1&gt;,&#10;got 2</failure>\n    </testcase>\n  \
            </testsuite>\n  \
            <testsuite name=\"envoy\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\" time=\"1.500\">\n    \
            <testcase classname=\"a/b.yaml\" name=\"less &lt; more &amp; &quot;so&quot;\" time=\"1.500\">\n      \
            <skipped message=\"no &quot;clock&quot;\"/>\n    </testcase>\n  \
            </testsuite>\n</testsuites>\n";
        assert_eq!(xml, expected);
    }
}
