//! The module's version, in an ELF note. `nss-mdns check` reads it from the file, to tell this module from others of the
//! same name, and from other versions. No code refers to it.

/// An ELF note (elf(5)).
#[repr(C, align(4))]
struct Note {
    name_size: u32,
    description_size: u32,
    kind: u32,
    /// With the NUL at its end, and padding to a multiple of 4.
    name: [u8; 12],
    /// The version, padded with NULs.
    description: [u8; SIZE],
}

/// The maximum length of the version, in octets.
const SIZE: usize = 16;
const _: () = assert!(env!("CARGO_PKG_VERSION").len() <= SIZE);

#[used]
#[unsafe(link_section = ".note.nss-mdns")]
static NOTE: Note =
    Note { name_size: 9, description_size: 16, kind: 1, name: *b"nss-mdns\0\0\0\0", description: version() };

// Evaluated by the compiler, for which an index out of range is an error.
#[allow(clippy::indexing_slicing)]
const fn version() -> [u8; SIZE] {
    let text = env!("CARGO_PKG_VERSION").as_bytes();
    let mut padded = [0; SIZE];
    let mut index = 0;
    while index < text.len() {
        padded[index] = text[index];
        index += 1;
    }
    padded
}
