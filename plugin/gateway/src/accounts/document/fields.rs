//! The numbers of the fields, as `proto/account.proto` has them.

use super::wire::Field;

macro_rules! fields {
    ($($message:ident { $($name:ident = $number:literal),* })*) => {
        $(pub(super) mod $message {
            use super::Field;
            $(pub(in super::super) const $name: Field = Field($number);)*
        })*
    };
}

fields! {
    document { FORMAT = 1, LIVE = 2, ERASED = 3 }
    live {
        GENERATION = 1, SEQUENCE = 2, CREATED_AT = 3, UPDATED_AT = 4, OPENED_BY = 5, LOTS = 6, ENTRIES = 7, KEYS = 8,
        RETIRED = 9, ARCHIVED = 10, HISTORIES = 11
    }
    erased { GENERATION = 1, UPDATED_AT = 2, KEYS = 3, RETIRED = 4, HISTORIES = 5 }
    archived { SEQUENCE = 1, RECORDED_AT = 2, BALANCE_AFTER = 3 }
    retired_history { GENERATION = 1, ARCHIVED = 2, AT = 3 }
    entry_id { UUID = 1, TEXT = 2 }
    identity { ID = 1, FINGERPRINT = 2 }
    open_lot { SEQUENCE = 1, ID = 2, CREATED_AT = 3, VALID_UNTIL = 4, REMAINING = 5 }
    entry {
        IDENTITY = 1, RECORDED_AT = 2, CREATED_AT = 3, DESCRIPTION = 4, POINTS = 5, BALANCE_AFTER = 6, ADDED = 7, REDEEMED = 8
    }
    added { REFERENCE_ID = 1, VALID_UNTIL = 2 }
    redeemed { TAKES = 1 }
    take { LOT = 1, POINTS = 2 }
    used_key { DIGEST = 1, REQUEST = 2, AT = 3 }
    retired_operation { IDENTITY = 1, AT = 2 }
    segment { FORMAT = 1, GENERATION = 2, FIRST = 3, ENTRIES = 4 }
}
