//! Which operation a method and a path name.
//!
//! Looks at the raw path only: segments are split before anything is decoded, so an escaped separator stays inside its
//! segment. Whether the caller may is decided in `access`; whether the identifiers are well formed, in [`super::input`].

/// Everything below this path is ours.
pub const PREFIX: &str = "/reward-points";

/// The seven operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `GET /reward-points/summaryBatch`
    SummaryBatch,
    /// `GET /reward-points/customer/{customerId}`
    Balance,
    /// `POST /reward-points/customer/{customerId}`
    Create,
    /// `DELETE /reward-points/customer/{customerId}`
    Delete,
    /// `GET /reward-points/customer/{customerId}/summary`
    Summary,
    /// `POST /reward-points/customer/{customerId}/addPoints`
    AddPoints,
    /// `POST /reward-points/customer/{customerId}/redeemPoints`
    RedeemPoints,
}

impl Operation {
    /// The pattern of its path, for the log.
    #[must_use]
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::SummaryBatch => "/reward-points/summaryBatch",
            Self::Balance | Self::Create | Self::Delete => "/reward-points/customer/{customerId}",
            Self::Summary => "/reward-points/customer/{customerId}/summary",
            Self::AddPoints => "/reward-points/customer/{customerId}/addPoints",
            Self::RedeemPoints => "/reward-points/customer/{customerId}/redeemPoints",
        }
    }

    /// Whether the operation needs only the right to view.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(self, Self::SummaryBatch | Self::Balance | Self::Summary)
    }

    /// Whether it is for a site, named by `siteCode`.
    #[must_use]
    pub const fn has_site(self) -> bool {
        matches!(self, Self::Create | Self::AddPoints)
    }

    /// The status of its success.
    #[must_use]
    pub const fn success_status(self) -> u16 {
        match self {
            Self::AddPoints | Self::RedeemPoints => 201,
            _ => 200,
        }
    }

    /// Whether it is a POST, which may carry a body and an `Idempotency-Key`.
    #[must_use]
    pub const fn is_post(self) -> bool {
        matches!(self, Self::Create | Self::AddPoints | Self::RedeemPoints)
    }
}

/// A request target, cut into the parts that matter. All raw bytes, as they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path below [`PREFIX`], starting with `/` or empty, without the query.
    pub below_prefix: &'a [u8],
    /// What follows the first `?`, if anything does.
    pub query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// The target of `:path`, or nothing when the path is not ours.
    #[must_use]
    pub fn of(path_and_query: &'a [u8]) -> Option<Self> {
        let mut halves = path_and_query.splitn(2, |&byte| byte == b'?');
        let path = halves.next()?;
        let below_prefix = path.strip_prefix(PREFIX.as_bytes())?;
        let ours = below_prefix.is_empty() || below_prefix.starts_with(b"/");
        ours.then(|| Self {
            below_prefix,
            query: halves.next(),
        })
    }
}

/// A path that is served, and the operation its method names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// The operation.
    pub operation: Operation,
    /// The raw segment in the place of `{customerId}`; empty for an operation that has none.
    pub customer_segment: &'a [u8],
}

/// Why a target names no operation, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// No such path below [`PREFIX`].
    UnknownPath,
    /// The path is served, but not with this method; `allow` is the value of the `Allow` header.
    WrongMethod {
        /// The methods that are served.
        allow: &'static str,
    },
}

/// What one shape of path serves.
struct Resource {
    /// The methods of `operations`, as the `Allow` header lists them.
    allow: &'static str,
    operations: &'static [(&'static [u8], Operation)],
}

const BATCH: Resource = Resource {
    allow: "GET",
    operations: &[(b"GET", Operation::SummaryBatch)],
};
const CUSTOMER: Resource = Resource {
    allow: "GET, POST, DELETE",
    operations: &[
        (b"GET", Operation::Balance),
        (b"POST", Operation::Create),
        (b"DELETE", Operation::Delete),
    ],
};
const SUMMARY: Resource = Resource {
    allow: "GET",
    operations: &[(b"GET", Operation::Summary)],
};
const ADD_POINTS: Resource = Resource {
    allow: "POST",
    operations: &[(b"POST", Operation::AddPoints)],
};
const REDEEM_POINTS: Resource = Resource {
    allow: "POST",
    operations: &[(b"POST", Operation::RedeemPoints)],
};

/// The resource at a path, and the raw segment that names its customer.
fn resource<'a>(target: &Target<'a>) -> Option<(&'static Resource, &'a [u8])> {
    let mut segments = target.below_prefix.split(|&byte| byte == b'/');
    // What stands before the first separator is empty: `below_prefix` is empty or starts with one.
    segments.next();
    let (first, second, third) = (segments.next(), segments.next(), segments.next());
    if segments.next().is_some() {
        return None;
    }
    match (first, second, third) {
        (Some(b"summaryBatch"), None, None) => Some((&BATCH, b"")),
        (Some(b"customer"), Some(customer), below) => match below {
            None => Some((&CUSTOMER, customer)),
            Some(b"summary") => Some((&SUMMARY, customer)),
            Some(b"addPoints") => Some((&ADD_POINTS, customer)),
            Some(b"redeemPoints") => Some((&REDEEM_POINTS, customer)),
            Some(_) => None,
        },
        _ => None,
    }
}

/// The methods that a path serves, as a list for `Allow` or `Access-Control-Allow-Methods`; nothing when there is nothing
/// at the path.
#[must_use]
pub fn allowed_methods(target: &Target<'_>) -> Option<&'static str> {
    resource(target).map(|(resource, _)| resource.allow)
}

/// Finds the operation. Methods are case-sensitive (RFC 9110, section 9.1).
///
/// # Errors
/// [`NoRoute`]
pub fn route<'a>(method: &[u8], target: &Target<'a>) -> Result<Route<'a>, NoRoute> {
    let (resource, customer_segment) = resource(target).ok_or(NoRoute::UnknownPath)?;
    resource
        .operations
        .iter()
        .find(|(served, _)| *served == method)
        .map(|&(_, operation)| Route {
            operation,
            customer_segment,
        })
        .ok_or(NoRoute::WrongMethod {
            allow: resource.allow,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<Result<(Operation, String), NoRoute>> {
        Target::of(path.as_bytes()).map(|target| {
            route(method.as_bytes(), &target).map(|route| {
                (
                    route.operation,
                    String::from_utf8_lossy(route.customer_segment).into_owned(),
                )
            })
        })
    }

    #[test]
    fn routes() {
        use Operation::*;
        let customer_methods = "GET, POST, DELETE";
        for (method, path, expected) in [
            (
                "GET",
                "/reward-points/summaryBatch",
                Some(Ok((SummaryBatch, ""))),
            ),
            (
                "GET",
                "/reward-points/summaryBatch?pageNumber=1",
                Some(Ok((SummaryBatch, ""))),
            ),
            (
                "GET",
                "/reward-points/customer/614",
                Some(Ok((Balance, "614"))),
            ),
            (
                "POST",
                "/reward-points/customer/614?siteCode=main",
                Some(Ok((Create, "614"))),
            ),
            (
                "DELETE",
                "/reward-points/customer/614",
                Some(Ok((Delete, "614"))),
            ),
            (
                "GET",
                "/reward-points/customer/614/summary",
                Some(Ok((Summary, "614"))),
            ),
            (
                "POST",
                "/reward-points/customer/614/addPoints",
                Some(Ok((AddPoints, "614"))),
            ),
            (
                "POST",
                "/reward-points/customer/614/redeemPoints",
                Some(Ok((RedeemPoints, "614"))),
            ),
            // An escaped separator is data; so are `;` and `..`.
            (
                "GET",
                "/reward-points/customer/a%2Fb",
                Some(Ok((Balance, "a%2Fb"))),
            ),
            (
                "GET",
                "/reward-points/customer/..",
                Some(Ok((Balance, ".."))),
            ),
            (
                "GET",
                "/reward-points/customer/a;b=c",
                Some(Ok((Balance, "a;b=c"))),
            ),
            ("GET", "/reward-points/customer/", Some(Ok((Balance, "")))),
            (
                "GET",
                "/reward-points/customer//summary",
                Some(Ok((Summary, ""))),
            ),
            (
                "PUT",
                "/reward-points/customer/614",
                Some(Err(NoRoute::WrongMethod {
                    allow: customer_methods,
                })),
            ),
            (
                "get",
                "/reward-points/customer/614",
                Some(Err(NoRoute::WrongMethod {
                    allow: customer_methods,
                })),
            ),
            (
                "GET",
                "/reward-points/customer/614/addPoints",
                Some(Err(NoRoute::WrongMethod { allow: "POST" })),
            ),
            (
                "POST",
                "/reward-points/summaryBatch",
                Some(Err(NoRoute::WrongMethod { allow: "GET" })),
            ),
            ("GET", "/reward-points", Some(Err(NoRoute::UnknownPath))),
            ("GET", "/reward-points/", Some(Err(NoRoute::UnknownPath))),
            (
                "GET",
                "/reward-points/summaryBatch/",
                Some(Err(NoRoute::UnknownPath)),
            ),
            (
                "GET",
                "/reward-points/customer",
                Some(Err(NoRoute::UnknownPath)),
            ),
            (
                "GET",
                "/reward-points/customer/614/summary/",
                Some(Err(NoRoute::UnknownPath)),
            ),
            (
                "GET",
                "/reward-points/customer/614/Summary",
                Some(Err(NoRoute::UnknownPath)),
            ),
            (
                "GET",
                "/reward-points/public/customer",
                Some(Err(NoRoute::UnknownPath)),
            ),
            ("GET", "/reward-pointsx/customer/614", None),
            ("GET", "/", None),
            ("GET", "*", None),
        ] {
            let expected = expected.map(|it: Result<(Operation, &str), NoRoute>| {
                it.map(|(operation, customer)| (operation, customer.to_owned()))
            });
            assert_eq!(found(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn the_methods_of_a_path_are_those_that_it_routes() {
        for resource in [&BATCH, &CUSTOMER, &SUMMARY, &ADD_POINTS, &REDEEM_POINTS] {
            let methods: Vec<&str> = resource
                .operations
                .iter()
                .map(|(method, _)| std::str::from_utf8(method).unwrap())
                .collect();
            assert_eq!(methods.join(", "), resource.allow);
        }
        for (path, expected) in [
            ("/reward-points/customer/614?x=/", Some("GET, POST, DELETE")),
            ("/reward-points/customer/614/redeemPoints", Some("POST")),
            ("/reward-points/customer/614/other", None),
            ("/reward-points", None),
        ] {
            let target = Target::of(path.as_bytes()).unwrap();
            assert_eq!(allowed_methods(&target), expected, "{path}");
        }
    }
}
