//! Many customer ids in little memory: one text and where in it each stands.

use crate::accounts::keys::CustomerId;

/// What one id takes besides its text, in bytes.
const SPAN_BYTES: usize = size_of::<Span>();

type Span = (u32, u32);

/// Customer ids, in the order of their arrival until they are sorted.
#[derive(Debug, Default)]
pub struct Ids {
    text: String,
    spans: Vec<Span>,
}

impl Ids {
    /// Adds one. One that does not fit into 4 GiB with the others is left out; callers bound [`Ids::bytes`] far below.
    pub fn push(&mut self, id: &str) {
        let from = u32::try_from(self.text.len());
        let to = u32::try_from(self.text.len().saturating_add(id.len()));
        if let (Ok(from), Ok(to)) = (from, to) {
            self.text.push_str(id);
            self.spans.push((from, to));
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// What they take of memory, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        let spans = self.spans.len().saturating_mul(SPAN_BYTES);
        self.text.len().saturating_add(spans)
    }

    /// Puts them in order.
    pub fn sort(&mut self) {
        let Self { text, spans } = self;
        spans.sort_unstable_by(|one, other| read(text, *one).cmp(read(text, *other)));
    }

    /// Keeps the first so many, in their order, and gives the memory of the others back.
    pub fn keep_first(&mut self, count: usize) {
        let mut kept = Self::default();
        for &span in self.spans.iter().take(count) {
            kept.push(read(&self.text, span));
        }
        kept.text.shrink_to_fit();
        kept.spans.shrink_to_fit();
        *self = kept;
    }

    /// The last one.
    #[must_use]
    pub fn last(&self) -> Option<CustomerId> {
        let span = self.spans.last()?;
        customer(read(&self.text, *span))
    }

    /// How many are not behind this one, when they are sorted.
    #[must_use]
    pub fn up_to(&self, customer: &CustomerId) -> usize {
        self.spans
            .partition_point(|&span| read(&self.text, span) <= customer.as_str())
    }

    /// At most `take` of them behind the first `skip`.
    #[must_use]
    pub fn part(&self, skip: usize, take: usize) -> Vec<CustomerId> {
        let spans = self.spans.iter().skip(skip).take(take);
        let ids = spans.filter_map(|&span| customer(read(&self.text, span)));
        ids.collect()
    }
}

fn read(text: &str, (from, to): Span) -> &str {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let found = range.and_then(|(from, to)| text.get(from..to));
    found.unwrap_or_default()
}

fn customer(id: &str) -> Option<CustomerId> {
    CustomerId::new(id.as_bytes().to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CustomerId {
        CustomerId::new(text.into()).expect("an id")
    }

    #[test]
    fn ids_come_back_in_order() {
        let mut ids = Ids::default();
        for text in ["größe", "b", "a", "~", "aa"] {
            ids.push(text);
        }
        ids.sort();
        let all: Vec<CustomerId> = ids.part(0, 9);
        assert_eq!(all, ["a", "aa", "b", "größe", "~"].map(id));
        assert!(all.is_sorted());
        assert_eq!(ids.part(1, 2), ["aa", "b"].map(id));
        assert_eq!(ids.part(5, 2), []);
        assert_eq!((ids.up_to(&id("aa")), ids.up_to(&id("ab"))), (2, 2));
        assert_eq!((ids.up_to(&id("A")), ids.up_to(&id("~~"))), (0, 5));
        let before = ids.bytes();
        ids.keep_first(2);
        assert_eq!((ids.part(0, 9), ids.len()), (["a", "aa"].map(id).into(), 2));
        assert_eq!(ids.last(), Some(id("aa")));
        assert!(ids.bytes() < before);
    }
}
