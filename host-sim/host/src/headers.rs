//! A header map as Envoy hands it to a filter: ordered, names in lower case, values plain bytes.
//!
//! Duplicates are kept apart and found first-come-first. Nothing here knows HTTP/1 or HTTP/2; pseudo headers such as
//! `:path` are entries like any other.

/// Ordered name and value pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// From text pairs, for replies that the host itself makes.
    pub fn from_pairs<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.add(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// The first value of that name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_bytes(name.as_bytes())
    }

    /// The first value of that name, whatever its case.
    pub fn get_bytes(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All values of that name with commas between, as an attribute shows them.
    pub fn joined(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.0
            .iter()
            .filter(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
            .reduce(|mut all, value| {
                all.push(b',');
                all.extend(value);
                all
            })
    }

    /// Appends an entry, keeping others of that name.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Puts one entry in place of all of that name; it stands where the first one stood.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let place = self
            .0
            .iter()
            .position(|(have, _)| have.eq_ignore_ascii_case(name));
        self.remove(name);
        let entry = (name.to_ascii_lowercase(), value.to_vec());
        match place {
            Some(at) if at <= self.0.len() => self.0.insert(at, entry),
            _ => self.0.push(entry),
        }
    }

    /// Removes every entry of that name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_getter_sees_only_the_first_of_duplicates() {
        let mut headers = Headers::default();
        headers.add(b"X-A", b"1");
        headers.add(b"x-a", b"2");
        assert_eq!(headers.get("x-A"), Some(&b"1"[..]));
        assert_eq!(headers.len(), 2);
        headers.set(b"x-a", b"3");
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [(&b"x-a"[..], &b"3"[..])]
        );
        headers.remove(b"X-A");
        assert!(headers.is_empty());
    }
}
