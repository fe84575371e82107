//! The program semblance: configuration, commands, wiring
