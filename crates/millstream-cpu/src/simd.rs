//! Run-time choice of the instruction set.
//!
//! Every vector kernel of this crate is written once, as plain loops over slices that the compiler can vectorise, and is compiled once
//! per [`Level`]. A level changes the speed and nothing else: the loops use `+ - * /`, `sqrt` and `mul_add` only, each of them
//! correctly rounded at every level, in an order that the source fixes, and the compiler may not contract or reassociate them. The
//! exception is the matrix product, a library's, which takes no level.
//!
//! It does not choose by itself inside a kernel: the level is a parameter, so that a test can run all of them on one machine.
//!
//! **Invariants**
//! * `level-is-proof`: a `Level` exists only for an instruction set that the running processor was seen to have.
//! * `level-changes-no-bit`: any two levels give the same bits in every kernel that takes one.
//!
//! **Checked by** `every_level_gives_the_bits_of_the_scalar_one` in each kernel's tests.
#![expect(unsafe_code, reason = "calling a function compiled for an instruction set asks that the processor has it")]

/// An instruction set that this processor has. A value of this type is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level(Isa);

/// The sets by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Isa {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Level {
    /// What the compiler assumes of every processor of this architecture.
    pub const SCALAR: Self = Self(Isa::Scalar);

    /// The widest level of this processor.
    #[must_use]
    pub fn best() -> Self {
        *Self::available().last().unwrap_or(&Self::SCALAR)
    }

    /// All levels of this processor, narrowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self::SCALAR];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 {
                levels.push(Self(Isa::Avx2));
            }
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                levels.push(Self(Isa::Avx512));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            levels.push(Self(Isa::Neon));
        }
        levels
    }

    /// Name as it appears in reports: `scalar`, `avx2`, `avx512`, `neon`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Isa::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => "neon",
        }
    }

    /// Runs `work` compiled for this level.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self.0 {
            Isa::Scalar => work.run(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: asks for AVX2 and FMA; the processor has them, kept by `level-is-proof` in this file.
            Isa::Avx2 => unsafe { on_avx2(work) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: asks for AVX-512 F, BW, DQ and VL; the processor has them, kept by `level-is-proof` in this file.
            Isa::Avx512 => unsafe { on_avx512(work) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: asks for NEON; the processor has it, kept by `level-is-proof` in this file.
            Isa::Neon => unsafe { on_neon(work) },
        }
    }
}

/// A kernel with its arguments. A trait and not a closure, because `run` must be marked `#[inline(always)]`, also where it calls
/// functions of its own: only then is it compiled anew inside the function that carries the level's features.
pub(crate) trait Work {
    /// What comes out.
    type Output;
    /// Does the work.
    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn on_avx2<W: Work>(work: W) -> W::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn on_avx512<W: Work>(work: W) -> W::Output {
    work.run()
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn on_neon<W: Work>(work: W) -> W::Output {
    work.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_level_is_the_last_of_the_available_ones_and_scalar_is_always_there() {
        let levels = Level::available();
        assert_eq!(levels[0], Level::SCALAR);
        assert_eq!(Level::best(), levels[levels.len() - 1]);
    }

    #[test]
    fn work_is_done_once_at_every_level() {
        struct Count<'a>(&'a mut u32);
        impl Work for Count<'_> {
            type Output = u32;
            #[inline(always)]
            fn run(self) -> u32 {
                *self.0 += 1;
                *self.0
            }
        }
        for level in Level::available() {
            assert_eq!(level.run(Count(&mut 0)), 1, "{}", level.name());
        }
    }
}
