//! The guide names every fault and every check, in the words of `--help`.

use fleet::{Check, FaultKind, Named};

fn missing<T: Named>(guide: &str) -> Vec<&'static str> {
    let row = |it: T| format!("| `{}` | {} |", it.name(), it.meaning());
    let all = T::all().iter().copied();
    all.filter(|it| !guide.contains(&row(*it)))
        .map(T::name)
        .collect()
}

#[test]
fn the_guide_says_what_every_fault_and_check_means() {
    let path = testbed::workspace_root().join("docs/fleet.md");
    let guide = std::fs::read_to_string(path).expect("the guide");
    assert_eq!(missing::<FaultKind>(&guide), [""; 0]);
    assert_eq!(missing::<Check>(&guide), [""; 0]);
}
