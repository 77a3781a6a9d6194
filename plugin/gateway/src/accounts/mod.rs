//! The accounts: keys, documents, reading, committing.
