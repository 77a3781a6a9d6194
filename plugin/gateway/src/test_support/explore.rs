//! Every order of events of a small script, by running it again and again with other choices.
//!
//! A run makes its choices with [`Choices::of`]. After it, [`Choices::next`] changes the last choice that had another
//! option left: so every path through the choices is taken exactly once.

/// The choices of one run.
#[derive(Default)]
pub(crate) struct Choices {
    made: Vec<(usize, usize)>,
    place: usize,
}

impl Choices {
    /// Chooses one of so many options.
    pub(crate) fn of(&mut self, options: usize) -> usize {
        assert!(options > 0, "nothing to choose from");
        if self.place == self.made.len() {
            self.made.push((0, options));
        }
        let (chosen, known) = self.made[self.place];
        assert_eq!(known, options, "a run that is not repeatable");
        self.place += 1;
        chosen
    }

    /// Prepares the next run; false when there is none.
    pub(crate) fn next(&mut self) -> bool {
        self.made.truncate(self.place);
        self.place = 0;
        while let Some((chosen, options)) = self.made.pop() {
            if chosen + 1 < options {
                self.made.push((chosen + 1, options));
                return true;
            }
        }
        false
    }
}

#[test]
fn every_path_is_taken_once() {
    let mut choices = Choices::default();
    let mut paths = Vec::new();
    loop {
        let first = choices.of(2);
        let second = if first == 0 { choices.of(3) } else { 0 };
        paths.push((first, second));
        if !choices.next() {
            break;
        }
    }
    assert_eq!(paths, [(0, 0), (0, 1), (0, 2), (1, 0)]);
}
