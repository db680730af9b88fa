//! Compiles the contract with protox (no protoc on the machine): the services and messages into Rust,
//! and the whole descriptor set, with the registers' options, for reading at run time.
//! Every file in `registers/` is part of it; each register gets the fields of `registers/common.proto`.

use prost::Message;
use protox::{
    Error as ProtoxError,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

const FILES: [&str; 7] =
    ["mail.proto", "month.proto", "orders.proto", "sync.proto", "totals.proto", "admin.proto", "review.proto"];
const REGISTERS: &str = "registers";
const COMMON: &str = "common.proto";
const CODES: &str = "codes.toml";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // A clock that reads an earlier time is wrong for certain. Who builds to the byte says the time (SOURCE_DATE_EPOCH).
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let said = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let built = match said {
        Some(seconds) => seconds,
        None => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs(),
    };
    println!("cargo:rustc-env=TAIZHANG_BUILT={built}");
    println!("cargo:rerun-if-changed={REGISTERS}");
    let common = common_fields(&fs::read_to_string(Path::new(REGISTERS).join(COMMON))?)?;
    let mut resolver = ChainFileResolver::new();
    resolver.add(WithCommon { common });
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(false);
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
        compiler.open_file(file)?;
    }
    let mut registers = Vec::new();
    for entry in fs::read_dir(REGISTERS)? {
        let name = entry?.file_name().into_string().map_err(|name| format!("{} is no UTF-8", name.display()))?;
        if Path::new(&name).extension().is_some_and(|kind| kind == "proto") {
            registers.push(name);
        }
    }
    registers.sort();
    for file in &registers {
        compiler.open_file(file)?;
    }
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("taizhang.bin"), &encoded)?;

    let files = prost_types::FileDescriptorSet::decode(encoded.as_slice())?;
    fs::write(out.join("field.rs"), field_names(&files, &registers))?;
    fs::write(out.join("code.rs"), code_names(&fs::read_to_string(Path::new(REGISTERS).join(CODES))?)?)?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}

/// First tag of a register's own fields; those below belong to every record and have their names in `register`.
const OWN: i32 = 20;

/// The tags of each register's own fields by their names: `placement::START_ON`.
fn field_names(files: &prost_types::FileDescriptorSet, registers: &[String]) -> String {
    let messages = files.file.iter().filter(|file| registers.iter().any(|own| own == file.name()));
    let messages = messages.flat_map(|file| &file.message_type);
    let of_register = |message: &&prost_types::DescriptorProto| message.field.iter().any(|own| own.number() < OWN);
    let module = |message: &prost_types::DescriptorProto| {
        let own = message.field.iter().filter(|own| own.number() >= OWN);
        let consts = own.map(|own| format!("    pub const {}: u32 = {};\n", own.name().to_uppercase(), own.number()));
        format!("pub mod {} {{\n{}}}\n", snake(message.name()), consts.collect::<String>())
    };
    messages.filter(of_register).map(module).collect()
}

/// The codes that rules name, by their list's module and their English word: `household_status::CLOSED`.
fn code_names(lists: &str) -> Result<String, Box<dyn Error>> {
    let lists: toml::Table = toml::from_str(lists)?;
    let mut written = String::new();
    for list in lists.values() {
        let Some(module) = list.get("module").and_then(toml::Value::as_str) else { continue };
        let words = |key: &str| list.get(key).and_then(toml::Value::as_table).ok_or(format!("{module} has no {key}"));
        let (chinese, english) = (words("codes")?, words("en")?);
        writeln!(written, "/// {}.\npub mod {module} {{", list["name"].as_str().unwrap_or(module))?;
        for (code, word) in english {
            let word = word.as_str().unwrap_or_default();
            let name: String = word.split(" (").next().unwrap_or(word).to_uppercase();
            let words = name.split(|sign: char| !sign.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            let name = words.collect::<Vec<_>>().join("_");
            let meaning = chinese.get(code).and_then(toml::Value::as_str).unwrap_or_default();
            writeln!(written, "    /// {meaning}.\n    pub const {name}: &str = \"{code}\";")?;
        }
        written += "}\n";
    }
    Ok(written)
}

/// `ZefCase` as `zef_case`.
fn snake(name: &str) -> String {
    let mut written = String::new();
    for sign in name.chars() {
        if sign.is_ascii_uppercase() && !written.is_empty() {
            written.push('_');
        }
        written.push(sign.to_ascii_lowercase());
    }
    written
}

/// The lines of the one message in `common.proto`.
fn common_fields(source: &str) -> Result<String, String> {
    let (_, body) = source.split_once("message Common {").ok_or("common.proto has no message Common")?;
    let (body, _) = body.split_once("\n}").ok_or("common.proto does not end its message")?;
    Ok(body.to_owned())
}

/// Reads the contract's files and writes the common fields into each register.
struct WithCommon {
    common: String,
}

impl FileResolver for WithCommon {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        path.to_str().map(str::to_owned)
    }

    fn open_file(&self, name: &str) -> Result<File, ProtoxError> {
        let register = Path::new(REGISTERS).join(name);
        let source = fs::read_to_string(&register).or_else(|_| fs::read_to_string(name));
        let source = source.map_err(|_| ProtoxError::file_not_found(name))?;
        let mut whole = String::with_capacity(source.len());
        for line in source.lines() {
            whole.push_str(line);
            if line.trim_start().starts_with("option (register) =") {
                whole.push_str(&self.common);
            }
            whole.push('\n');
        }
        File::from_source(name, &whole)
    }
}
