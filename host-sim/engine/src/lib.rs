//! Embedded single-node engine: the four etcd calls on redb.
