//! Who may: bearer tokens in, permits out.
