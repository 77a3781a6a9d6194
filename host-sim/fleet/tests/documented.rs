//! The guide names every fault and every check, in the words of `--help`, and every mistake that can be planted.

use fleet::{Check, FaultKind, Named};
use gateway::planted::Bug;

fn missing<T: Named>(guide: &str) -> Vec<&'static str> {
    let row = |it: T| format!("| `{}` | {} |", it.name(), it.meaning());
    let all = T::all().iter().copied();
    all.filter(|it| !guide.contains(&row(*it)))
        .map(T::name)
        .collect()
}

fn guide() -> String {
    let path = testbed::workspace_root().join("docs/fleet.md");
    std::fs::read_to_string(path).expect("the guide")
}

#[test]
fn the_guide_says_what_every_fault_and_check_means() {
    let guide = guide();
    assert_eq!(missing::<FaultKind>(&guide), [""; 0]);
    assert_eq!(missing::<Check>(&guide), [""; 0]);
}

#[test]
fn the_guide_has_a_row_for_every_planted_mistake() {
    let guide = guide();
    let rows = |name: &str| {
        let begin = format!("| `{name}` | ");
        guide.lines().filter(|it| it.starts_with(&begin)).count()
    };
    for (_, name) in Bug::ALL {
        assert_eq!(rows(name), 1, "{name}");
    }
}
