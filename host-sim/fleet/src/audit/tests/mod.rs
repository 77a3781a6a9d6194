//! Every check finds what it is there for: worlds of a few commits and answers, made up by hand, each with one lie in it.

mod answers;
mod changes;
mod memory;
mod reads;
mod scene;
