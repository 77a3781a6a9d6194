//! Sets of named things, as a command line gives them: `all`, `none`, or a list with commas.

use std::collections::BTreeSet;
use std::str::FromStr;

/// Something with a fixed list of names.
pub trait Named: Copy + Ord + 'static {
    /// What one of them is called in a message.
    const NOUN: &'static str;

    /// All there are.
    fn all() -> &'static [Self];

    /// Its name.
    fn name(self) -> &'static str;

    /// Whether `all` means it too.
    fn is_in_all(self) -> bool;

    /// What it is, in a sentence.
    fn meaning(self) -> &'static str;

    /// The one of that name.
    ///
    /// # Errors
    /// [`UnknownName`]
    fn named(name: &str) -> Result<Self, UnknownName> {
        let found = Self::all().iter().find(|it| it.name() == name);
        found.copied().ok_or_else(|| UnknownName {
            noun: Self::NOUN,
            name: name.to_owned(),
            known: Self::all()
                .iter()
                .map(|it| it.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

/// A name that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {noun} `{name}`; there are {known}")]
pub struct UnknownName {
    noun: &'static str,
    name: String,
    known: String,
}

/// Some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T: Named>(BTreeSet<T>);

impl<T: Named> Set<T> {
    /// What `all` means.
    #[must_use]
    pub fn all() -> Self {
        Self(
            T::all()
                .iter()
                .copied()
                .filter(|it| it.is_in_all())
                .collect(),
        )
    }

    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// These.
    #[must_use]
    pub fn of(these: &[T]) -> Self {
        Self(these.iter().copied().collect())
    }

    /// All but these.
    #[must_use]
    pub fn without(mut self, these: &[T]) -> Self {
        self.0.retain(|it| !these.contains(it));
        self
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(&self, one: T) -> bool {
        self.0.contains(&one)
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.0.iter().copied()
    }
}

impl<T: Named> std::fmt::Display for Set<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        if *self == Self::all() {
            return f.write_str("all");
        }
        let names: Vec<_> = self.iter().map(T::name).collect();
        f.write_str(&names.join(","))
    }
}

impl<T: Named> FromStr for Set<T> {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "all" => Ok(Self::all()),
            "none" | "" => Ok(Self::none()),
            list => list
                .split(',')
                .map(|it| T::named(it.trim()))
                .collect::<Result<_, _>>()
                .map(Self),
        }
    }
}

/// An enum with names and meanings, and [`Named`] for it.
macro_rules! named {
    ($(#[$outer:meta])* $kind:ident, $noun:literal, not_in_all($($apart:ident)?) { $($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $kind {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl $crate::named::Named for $kind {
            const NOUN: &'static str = $noun;

            fn all() -> &'static [Self] {
                &[$(Self::$variant),+]
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            fn is_in_all(self) -> bool {
                true $(&& self != Self::$apart)?
            }

            fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+
                }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::named::Named::name(*self))
            }
        }
    };
}
pub(crate) use named;
