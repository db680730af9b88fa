//! The layouts in force: this build's, and over them the files that an office keeps in its data directory, so that an
//! operator can teach the import another program's columns without a new build.
//! Invariant: a file is taken whole or refused with its name and the place; its size and number are bounded.

use super::{
    Layout, Target, compile, exact,
    file::{self, Words},
    folded, without_brackets,
};
use crate::disk::{self, DiskError};
use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};
use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::Read,
    path::Path,
    sync::{Arc, OnceLock},
};

/// The folder of an office's own mapping files in its data directory.
pub const FOLDER: &str = "mappings";
/// Largest mapping file, bytes.
const MAX_FILE: u64 = 256 << 10;
/// Most mapping files.
const MAX_FILES: usize = 64;

/// The files of this build, with their names.
const BUILT_IN: [(&str, &str); 2] = [
    ("内置 layouts.toml", include_str!("../layouts.toml")),
    ("内置 laodong99.toml", include_str!("../laodong99.toml")),
];

/// Why a mapping file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// It can't be read.
    #[error("无法读取对照文件 (can't read a mapping file): {0}")]
    Disk(#[from] DiskError),
    /// Too large, or no file.
    #[error("对照文件 {0} 过大或不是文件，最大 {limit} KiB (the mapping file is too large, or no file)", limit = MAX_FILE >> 10)]
    Size(String),
    /// No text.
    #[error("对照文件 {0} 的文字编码既不是 UTF-8 也不是 GBK (the mapping file is neither UTF-8 nor GBK)")]
    Encoding(String),
    /// Too many.
    #[error("对照文件多于 {MAX_FILES} 个 (too many mapping files)")]
    Many,
    /// Not the format.
    #[error("对照文件 {file} 格式不对 (the mapping file can't be read): {why}")]
    Format {
        /// The file.
        file: String,
        /// Line, column, and what was expected there.
        why: Box<toml::de::Error>,
    },
    /// It names what there is not.
    #[error("对照文件 {file}，表“{layout}”，{place}：{why}")]
    Value {
        /// The file.
        file: String,
        /// The layout in it.
        layout: String,
        /// Section and key.
        place: String,
        /// What would be right.
        why: String,
    },
}

/// One heading in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The kind of sheet.
    pub layout: String,
    /// The heading as the file writes it.
    pub heading: String,
    /// Where its cells go: role and field.
    pub target: String,
    /// The same as people read it: register and field.
    pub means: String,
    /// The file that says so.
    pub source: String,
}

/// All layouts in force.
#[derive(Debug)]
pub struct Layouts {
    pub(in crate::exchange) words: Words,
    pub(in crate::exchange) all: Vec<Layout>,
    ignored: HashSet<String>,
    mapped: Vec<Mapped>,
}

impl Layouts {
    /// Those of this build; a fault in them is a fault of the build, which the tests of this room would tell.
    pub fn built_in() -> Arc<Self> {
        static LAYOUTS: OnceLock<Arc<Layouts>> = OnceLock::new();
        let read = || Arc::new(gathered(&[]).expect("the layouts compiled into this program name fields that exist"));
        LAYOUTS.get_or_init(read).clone()
    }

    /// Those of this build under the files `mappings/*.toml` of a data directory, in the order of their names.
    ///
    /// # Errors
    /// When a file can't be read, or names what there is not; names the file and the place.
    pub fn load(data: &Path) -> Result<Arc<Self>, MappingError> {
        let paths = disk::files_named(&data.join(FOLDER), "toml")?;
        if paths.is_empty() {
            return Ok(Self::built_in());
        }
        if paths.len() > MAX_FILES {
            return Err(MappingError::Many);
        }
        let files = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
        gathered(&files).map(Arc::new)
    }

    /// What a heading means in a layout.
    pub(in crate::exchange) fn target(&self, layout: &Layout, heading: &str) -> Option<Target> {
        let (whole, plain) = (folded(heading), folded(&without_brackets(heading)));
        let found = layout.headings.get(&whole).or_else(|| layout.headings.get(&plain));
        let ignored = || self.ignored.contains(&whole) || self.ignored.contains(&plain);
        found.copied().or_else(|| ignored().then_some(Target::Ignore))
    }

    /// The layout of a file that the export wrote, by its headings; `titled` is what stands above them.
    pub(in crate::exchange) fn exact(headings: &[String], titled: &[String]) -> Option<&'static Layout> {
        exact::of(headings, titled)
    }

    /// Every heading with what it means and which file says so, by layout in the order of the files.
    pub fn mapped(&self) -> &[Mapped] {
        &self.mapped
    }
}

fn read(path: &Path) -> Result<(String, String), MappingError> {
    let name = path.display().to_string();
    let failed = |error| MappingError::Disk(DiskError::new("read", path, error));
    let is_file = path.metadata().map_err(failed)?.is_file();
    if !is_file {
        return Err(MappingError::Size(name));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(MappingError::Size(name));
    }
    let text = decoded(&bytes).ok_or_else(|| MappingError::Encoding(name.clone()))?;
    Ok((name, text.trim_start_matches('\u{feff}').to_owned()))
}

/// A text as editors of an office write it: UTF-8, or what Chinese Windows calls ANSI, or Unicode.
fn decoded(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let (text, broken) = match bytes {
        [0xff, 0xfe, _, ..] => UTF_16LE.decode_with_bom_removal(bytes),
        [0xfe, 0xff, _, ..] => UTF_16BE.decode_with_bom_removal(bytes),
        _ => GB18030.decode_without_bom_handling(bytes),
    };
    (!broken).then(|| text.into_owned())
}

/// The files laid over each other. Each is compiled as it comes, so that a fault is told of the file that brings it.
fn gathered(files: &[(String, String)]) -> Result<Layouts, MappingError> {
    let mut words = Words::default();
    let mut written: Vec<file::Layout> = Vec::new();
    let mut all: Vec<Layout> = Vec::new();
    // Who said what of a heading, by layout and heading.
    let mut sources: HashMap<(String, String), String> = HashMap::new();
    let built_in = BUILT_IN.iter().map(|(name, text)| (*name, *text));
    for (name, text) in built_in.chain(files.iter().map(|(name, text)| (name.as_str(), text.as_str()))) {
        let format = |why| MappingError::Format { file: name.to_owned(), why: Box::new(why) };
        let file: file::File = toml::from_str(text).map_err(format)?;
        words.add(file.words);
        for layout in file.layout {
            let said = layout.headings.values().flatten();
            sources.extend(said.map(|word| ((layout.name.clone(), folded(word)), name.to_owned())));
            let place = written.iter().position(|own| own.name == layout.name).unwrap_or(written.len());
            if place == written.len() {
                written.push(file::Layout { name: layout.name.clone(), ..file::Layout::default() });
            }
            written[place].add(layout);
            let wrong = |fault: compile::Fault| MappingError::Value {
                file: name.to_owned(),
                layout: written[place].name.clone(),
                place: fault.place,
                why: fault.why,
            };
            let compiled = compile::layout(&written[place]).map_err(wrong)?;
            match all.get_mut(place) {
                Some(own) => *own = compiled,
                None => all.push(compiled),
            }
        }
    }
    let ignored = words.ignore.iter().map(|word| folded(word)).collect();
    let mapped = mapped(&written, &all, &sources);
    Ok(Layouts { words, all, ignored, mapped })
}

fn mapped(written: &[file::Layout], all: &[Layout], sources: &HashMap<(String, String), String>) -> Vec<Mapped> {
    let mut mapped = Vec::new();
    for (file, layout) in written.iter().zip(all) {
        for (target, words) in &file.headings {
            for word in words {
                let key = folded(word);
                let Some(found) = layout.headings.get(&key) else { continue };
                mapped.push(Mapped {
                    layout: layout.name.clone(),
                    heading: word.clone(),
                    target: target.clone(),
                    means: compile::described(layout, *found),
                    source: sources.get(&(layout.name.clone(), key)).cloned().unwrap_or_default(),
                });
            }
        }
    }
    mapped
}
