//! The world: whole networks in one process, scenarios, vectors
