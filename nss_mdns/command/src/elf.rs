//! What an ELF file is built for, as its header says (elf(5)).

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The number of i386 in ELF headers.
const I386: u16 = 3;

/// Class, byte order and machine of an ELF file: a program loads only libraries that have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    class: u8,
    order: u8,
    machine: u16,
}

impl Architecture {
    /// What a file is built for; None if it is not an ELF file.
    pub(crate) fn of(file: &Path) -> Option<Architecture> {
        let mut header = [0; 20];
        File::open(file).ok()?.read_exact(&mut header).ok()?;
        let [0x7f, b'E', b'L', b'F', class, order, .., low, high] = header else { return None };
        let machine = if order == 1 { u16::from_le_bytes([low, high]) } else { u16::from_be_bytes([low, high]) };
        Some(Architecture { class, order, machine })
    }

    /// What this program is built for.
    pub(crate) fn own() -> Option<Architecture> {
        Architecture::of(Path::new("/proc/self/exe"))
    }

    pub(crate) fn is_i386(self) -> bool {
        self.machine == I386
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match (self.machine, self.class) {
            (I386, _) => "i386",
            (21, _) => "PowerPC64",
            (22, _) => "s390x",
            (40, _) => "arm",
            (62, 1) => "x32",
            (62, _) => "x86-64",
            (183, _) => "AArch64",
            (243, _) => "RISC-V",
            (number, class) => return write!(out, "ELF machine {number}, {} bits", 32 * u32::from(class)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_told_apart() {
        let own = Architecture::own().unwrap();
        assert!(!own.to_string().contains("ELF machine"));
        assert_eq!(Architecture { class: 1, order: 1, machine: 3 }.to_string(), "i386");
        assert_eq!(Architecture { class: 2, order: 1, machine: 99 }.to_string(), "ELF machine 99, 64 bits");
        assert_eq!(Architecture::of(Path::new("/etc/passwd")), None);
    }
}
