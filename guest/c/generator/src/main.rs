//! `wit-bindgen c WIT --world WORLD --out-dir DIR`, as the command of that name does it.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ["c", wit, "--world", world, "--out-dir", folder] = arguments[..] else {
        eprintln!("usage: wit-bindgen c WIT --world WORLD --out-dir DIR");
        return ExitCode::from(2);
    };
    match generate(Path::new(wit), world, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: failed to write the bindings of {world} in {wit}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a header, its source and an object file with the world's types.
fn generate(wit: &Path, world: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], Some(world)).map_err(|error| format!("{error:#}"))?;
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut resolve, world, &mut files).map_err(|error| format!("{error:#}"))?;
    fs::create_dir_all(folder)?;
    for (name, contents) in files.iter() {
        fs::write(folder.join(name), contents)?;
    }
    Ok(())
}
