//! What the lock tokens must not let through the compiler, and what they must.
#![cfg(not(any(millstream_loom, millstream_shuttle)))]

#[test]
fn refused_programs_do_not_compile_and_the_listed_nestings_do() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/refused/*.rs");
    cases.pass("tests/ui/passes/*.rs");
}
