//! Which upstream a request goes to: by the beginning of its path, as a route with Envoy's `prefix` match does.
//!
//! Knows names only; what stands behind a cluster's name is decided elsewhere.

use crate::headers::Headers;

/// Requests whose path begins with `prefix` go to `cluster`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Compared byte by byte with the path without its query: `/a` also means `/ab`.
    pub prefix: String,
    /// One of the clusters.
    pub cluster: String,
}

/// Routes in the order in which they are tried: the longest prefix first.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes(Vec<Route>);

impl Routes {
    /// Envoy takes the first route that fits. Here the longest does, so the order of a command line does not matter.
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        Self(routes)
    }

    /// The cluster for a request as the module left it.
    pub fn find(&self, headers: &Headers) -> Option<&str> {
        let path = headers.get(":path")?;
        let path = path
            .split(|byte| matches!(byte, b'?' | b'#'))
            .next()
            .unwrap_or_default();
        self.0
            .iter()
            .find(|route| path.starts_with(route.prefix.as_bytes()))
            .map(|route| route.cluster.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_and_no_segment_is_looked_for() {
        let route = |prefix: &str, cluster: &str| Route {
            prefix: prefix.to_owned(),
            cluster: cluster.to_owned(),
        };
        let routes = Routes::new(vec![route("/a", "one"), route("/a/b", "two")]);
        for (path, cluster) in [
            ("/a", Some("one")),
            ("/ab?c", Some("one")),
            ("/a/b", Some("two")),
            ("/a/bc/d", Some("two")),
            ("/A", None),
            ("/?x=/a", None),
        ] {
            let headers = Headers::from_pairs([(":path", path)]);
            assert_eq!(routes.find(&headers), cluster, "{path}");
        }
        assert_eq!(routes.find(&Headers::default()), None);
    }
}
