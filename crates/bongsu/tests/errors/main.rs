//! What goes wrong around a nation (a full or unwritable disk, a taken port, a second writer,
//! damage, another release's files, a wrong file): what the program says, and who goes on.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops where it is wrong")]

mod alone;
mod disk;
mod journals;
mod media;
mod refused;
mod rig;
