//! libFuzzer's entry for a target of `taiwa-tests`.

pub use libfuzzer_sys;

/// The entry of the target of this name.
///
/// libFuzzer takes every panic for a crash, also one that the guard catches: automerge's decoder panics on hostile bytes, and
/// the product answers that with a refusal. So the hook that aborts is taken away, and what leaves the target aborts.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(
            init: {
                std::panic::set_hook(Box::new(|_| {}));
            },
            |data: &[u8]| {
                let ran = std::panic::catch_unwind(|| taiwa_tests::fuzz::run($name, data));
                if let Err(panic) = ran {
                    let said = panic.downcast_ref::<String>().map(String::as_str);
                    let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                    eprintln!("{}: {said}", $name);
                    std::process::abort();
                }
            }
        );
    };
}
