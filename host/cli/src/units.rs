//! Numbers with units as people write them on a command line.

use std::env::VarError;
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use taskcell::DirGrant;

/// `256M`, `1GiB`, `64k`, `1000`: bytes, in powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(format!("unknown unit {unit:?}; use k, M, G or T")),
    };
    let number: u64 = number.parse().map_err(|_| "expected a whole number with an optional unit, like 256M".to_owned())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(|| "out of range".to_owned())
}

/// `500ms`, `10s`, `2m`, `1h`, `1.5` (seconds).
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 1e-3,
        "us" => 1e-6,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit {unit:?}; use us, ms, s, m or h")),
    };
    let number: f64 = number.parse().map_err(|_| "expected a number with an optional unit, like 10s".to_owned())?;
    let duration = Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be more than zero".to_owned()) } else { Ok(duration) }
}

/// `4` workers, or `50%` of the CPUs that this process may use; at least 1.
pub(crate) fn jobs(text: &str) -> Result<NonZeroU32, String> {
    let wrong = || "expected a number of workers, or a share of the CPUs like 50%".to_owned();
    let count = match text.strip_suffix('%') {
        None => text.parse().map_err(|_| wrong())?,
        Some(percent) => {
            let percent: u32 = percent.parse().map_err(|_| wrong())?;
            (percent.checked_mul(taskcell::cpu_count().get()).ok_or_else(wrong)?).div_ceil(100).max(1)
        }
    };
    // Each takes a process and some descriptors; more than this is a slip of the keyboard.
    NonZeroU32::new(count).filter(|count| count.get() <= 1024).ok_or_else(|| "must be 1 to 1024".to_owned())
}

/// `NAME=VALUE`, or `NAME` for the value that it has in our own environment.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        None if !text.is_empty() => match std::env::var(text) {
            Ok(value) => Ok((text.to_owned(), value)),
            Err(VarError::NotPresent) => Err(format!("{text} is not set in the environment; expected NAME=VALUE or NAME")),
            Err(VarError::NotUnicode(_)) => Err(format!("the value of {text} in the environment is not UTF-8")),
        },
        Some(_) | None => Err("expected NAME=VALUE or NAME".to_owned()),
    }
}

/// The variables of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variables(pub(crate) Vec<(String, String)>);

/// The longest file of variables, in bytes.
const VARIABLES_BYTES: u64 = 1 << 20;

/// A file with a `NAME=VALUE` on each line; empty lines and those that begin with `#` are skipped.
pub(crate) fn variables(path: &str) -> Result<Variables, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let read = file.take(VARIABLES_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > VARIABLES_BYTES {
        return Err(format!("it is longer than {VARIABLES_BYTES} bytes"));
    }
    let is_skipped = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !is_skipped(line));
    let variable = |(number, line): (usize, &str)| match line.split_once('=') {
        Some((name, value)) if !name.is_empty() && !line.contains('\0') => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("line {number}: expected NAME=VALUE")),
    };
    lines.map(variable).collect::<Result<_, _>>().map(Variables)
}

/// `NAME=PATH`.
pub(crate) fn module(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        Some(_) | None => Err("expected NAME=PATH".to_owned()),
    }
}

/// `HOST`, `HOST::GUEST`, with `:ro` at the end for reading only. The guest's name is the host's by default.
pub(crate) fn dir(text: &str) -> Result<DirGrant, String> {
    let (text, writable) = match text.strip_suffix(":ro") {
        Some(text) => (text, false),
        None => (text, true),
    };
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("expected HOST, HOST::GUEST or either with :ro".to_owned());
    }
    let path = std::fs::canonicalize(host).map_err(|error| error.to_string())?;
    if path.to_str().is_none() {
        return Err("its path is not UTF-8".to_owned());
    }
    if !path.is_dir() {
        return Err("it is not a directory".to_owned());
    }
    Ok(DirGrant { host: path, guest: guest.to_owned(), writable })
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.trim(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_value_here_or_in_the_environment() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
        // Cargo sets it for its tests.
        assert_eq!(variable("CARGO_PKG_NAME"), Ok(("CARGO_PKG_NAME".into(), "taskcell-cli".into())));
        assert!(variable("NO_SUCH_VARIABLE_HERE").is_err_and(|why| why.contains("is not set in the environment")));
        assert!(variable("=x").is_err() && variable("").is_err());
    }

    #[test]
    fn bytes_are_read_with_their_units() {
        assert_eq!(bytes("256M"), Ok(256 << 20));
        assert_eq!(bytes("1 GiB"), Ok(1 << 30));
        assert_eq!(bytes("7"), Ok(7));
        for wrong in ["", "M", "-1", "1X", "99999999999999T", "0", "1.5M"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "-1s", "1d", "inf", "nan", "0", "1e300h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn directories_are_read_with_their_rights() {
        let granted = |text| dir(text).map(|grant| (grant.guest, grant.writable));
        assert_eq!(granted("/tmp"), Ok(("/tmp".to_owned(), true)));
        assert_eq!(granted("/tmp::/data:ro"), Ok(("/data".to_owned(), false)));
        for wrong in ["", "::", "/tmp::", "/no/such/directory", "/dev/null"] {
            assert!(dir(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn jobs_are_a_number_or_a_share() {
        assert_eq!(jobs("3").map(NonZeroU32::get), Ok(3));
        assert_eq!(jobs("100%").ok(), Some(taskcell::cpu_count()));
        assert_eq!(jobs("1%").map(NonZeroU32::get), Ok(1));
        for wrong in ["0", "-1", "x", "5000", "%", "99999999999%"] {
            assert!(jobs(wrong).is_err(), "{wrong}");
        }
    }
}
