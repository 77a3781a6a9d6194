//! The folder of keys: what is made once, what is newest, what is refused, and what others may see of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use signing_keys::{Algorithm, Error, KeyFolder, MAX_KEYS, SigningKey};

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("metadata");
    metadata.permissions().mode() & 0o777
}

fn open() -> (tempfile::TempDir, KeyFolder) {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = KeyFolder::open(&dir.path().join("keys")).expect("a folder");
    (dir, folder)
}

#[test]
fn a_key_is_found_again_and_the_next_one_is_the_newest() {
    let (_dir, folder) = open();
    for algorithm in Algorithm::ALL {
        let first = folder.newest(algorithm).expect("a key");
        assert_eq!(first.algorithm(), algorithm);
        let again = KeyFolder::open(folder.path()).expect("a folder");
        assert_eq!(again.newest(algorithm).expect("a key").id(), first.id());
        if algorithm != Algorithm::Rs256 {
            let second = folder.add(algorithm).expect("a key");
            assert_ne!(second.id(), first.id());
            assert_eq!(again.newest(algorithm).expect("a key").id(), second.id());
        }
    }
    let list = folder.list().expect("a list");
    let short: Vec<_> = list
        .iter()
        .map(|file| (file.algorithm, file.generation))
        .collect();
    use Algorithm::{EdDsa, Es256, Rs256};
    assert_eq!(
        short,
        [(Rs256, 1), (Es256, 1), (Es256, 2), (EdDsa, 1), (EdDsa, 2)]
    );
    folder
        .remove(|file, all| {
            all.iter().any(|other| {
                other.algorithm == file.algorithm && other.generation > file.generation
            })
        })
        .expect("removed");
    assert_eq!(folder.list().expect("a list"), [list[0], list[2], list[4]]);
    // A generation that is gone does not come again while a later one is there.
    folder.add(Es256).expect("a key");
    assert_eq!(folder.list().expect("a list")[2].generation, 3);
}

#[test]
fn the_folder_is_bounded() {
    let (_dir, folder) = open();
    for _ in 0..MAX_KEYS {
        folder.add(Algorithm::EdDsa).expect("a key");
    }
    assert!(matches!(
        folder.add(Algorithm::EdDsa),
        Err(Error::Full { .. })
    ));
    assert!(matches!(
        folder.newest(Algorithm::Es256),
        Err(Error::Full { .. })
    ));
    assert!(folder.newest(Algorithm::EdDsa).is_ok());
}

#[test]
fn what_others_can_read_is_refused() {
    let (_dir, folder) = open();
    folder.newest(Algorithm::Es256).expect("a key");
    let path = folder.path().join("es256.1.private.jwk");
    assert_eq!((mode(folder.path()), mode(&path)), (0o700, 0o600));

    let expose = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    };
    expose(&path, 0o640);
    let refused = folder.newest(Algorithm::Es256).expect_err("exposed");
    assert!(refused.to_string().contains("mode 640"), "{refused}");
    expose(&path, 0o600);
    expose(folder.path(), 0o755);
    let refused = KeyFolder::open(folder.path()).expect_err("exposed");
    assert!(refused.to_string().contains("mode 755"), "{refused}");
}

#[test]
fn a_file_that_is_no_key_is_named_without_its_content() {
    let (_dir, folder) = open();
    let path = folder.path().join("es256.1.private.jwk");
    std::fs::write(&path, r#"{"kty":"EC","d":"hush"}"#).expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    let refused = folder
        .newest(Algorithm::Es256)
        .expect_err("no key")
        .to_string();
    assert!(refused.contains("es256.1.private.jwk"), "{refused}");
    assert!(!refused.contains("hush"), "{refused}");
}

#[test]
fn a_public_half_tells_nothing_private_and_debug_output_neither() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).expect("a key");
        let jwk = key.public_jwk();
        assert_eq!(jwk["kid"], key.id());
        assert_eq!(jwk["alg"], algorithm.name());
        assert_eq!(jwk["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(jwk.get(private).is_none(), "{private} in {jwk}");
        }
        assert_eq!(
            format!("{key:?}"),
            format!("SigningKey({} {})", algorithm.name(), key.id())
        );
        let token = key.sign("at+jwt", json!({"a": 1})).expect("a token");
        let header = jwt_simple::token::Token::decode_metadata(&token).expect("a header");
        assert_eq!(header.signature_type(), Some("at+jwt"));
        assert_eq!(header.key_id(), Some(key.id()));
        assert_eq!(header.algorithm(), algorithm.name());
    }
}
