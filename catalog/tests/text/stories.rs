//! Catalogs and what is said of them, one file a story: `stories/NAME.txt`.
//!
//! A story is a comment, then files after `-- PATH --` lines, then what is said after `-- said --`, as a
//! terminal without colours shows it. `UPDATE=1 cargo test -p cfg-catalog --test text` writes that part anew.

use cfg_catalog::{Catalog, CatalogFiles};
use std::path::Path;

struct Story {
    /// All before `-- said --`.
    head: String,
    files: CatalogFiles,
    said: String,
}

fn story(text: &str) -> Story {
    let mut files = CatalogFiles::default();
    let (head, said) = text.split_once("-- said --\n").unwrap_or((text, ""));
    let mut path = None;
    for line in head.lines() {
        let name = line.strip_prefix("-- ").and_then(|l| l.strip_suffix(" --"));
        if let Some(name) = name {
            files.bytes.insert(name.to_owned(), Vec::new());
            path = Some(name.to_owned());
        } else if let Some(path) = &path {
            let file = files.bytes.get_mut(path).unwrap();
            file.extend_from_slice(line.as_bytes());
            file.push(b'\n');
        }
    }
    Story {
        head: head.to_owned(),
        files,
        said: said.to_owned(),
    }
}

fn said(files: &CatalogFiles) -> String {
    let (verdict, said) = match Catalog::load(files) {
        Ok((_, warnings)) => ("good", warnings),
        Err(wrong) => ("bad", wrong),
    };
    let text = format!("{verdict}\n\n{said}");
    format!("{}\n", text.trim_end())
}

#[test]
fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut failed = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let story = story(&text);
        let said = said(&story.files);
        seen += 1;
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, format!("{}-- said --\n{said}", story.head)).unwrap();
        } else if said != story.said {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            failed.push(format!("{name}\nexpected:\n{}\nfound:\n{said}", story.said));
        }
    }
    assert!(seen > 10, "no stories found");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
