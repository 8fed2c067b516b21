//! Tars by hand, since what builds archives refuses what is hostile.

/// The type flag of a file, as `ustar` has it; `1` is another name of one, `2` a symbolic link, `3` a device.
pub const FILE: u8 = b'0';

/// A tar with these things in it: the name of each, its type flag, and where it leads. All files are empty.
///
/// The head is that of POSIX.1-2017, pax, "ustar Interchange Format".
///
/// # Panics
/// Over a name of more than 100 bytes.
pub fn tar(things: &[(&str, u8, &str)]) -> Vec<u8> {
    let mut all = Vec::new();
    for (name, flag, target) in things {
        let mut head = [0; 512];
        let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
        assert!(name.len() <= 100, "{name}");
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(124, b"00000000000\0");
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[*flag]);
        put(157, target.as_bytes());
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        all.extend(head);
    }
    [all, vec![0; 1024]].concat()
}
