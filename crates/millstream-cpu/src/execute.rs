//! One launch: from a kernel's data to the functions that compute it, in parts where the launch is large.
//!
//! A type is chosen here, once per launch; below it everything is written over types.
//!
//! **Invariants**
//! * `partition-is-shape`: what is cut into parts is cut by the shape alone.
#![expect(unsafe_code, reason = "threads write tiles of one product")]

use half::{bf16, f16};
use millstream_hal::{BinaryOp, DType, Kernel, Launch, Layout, UnaryOp, Views};

use crate::Level;
use crate::kernels::matmul::{Factor, Float, Product, Tiling};
use crate::kernels::number::{Element, Stored, Truth};
use crate::kernels::view::{PIECE, View};
use crate::kernels::{copy, elementwise, fill, fingerprint, matmul, randn, spin, uniform};
use crate::operands::{CHUNK, LARGE, Operands, Output};
use crate::team::Team;

mod layers;
mod reductions;

/// The body once for each element type.
macro_rules! by_type {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $name = f32;
                $body
            }
            DType::F64 => {
                type $name = f64;
                $body
            }
            DType::F16 => {
                type $name = f16;
                $body
            }
            DType::BF16 => {
                type $name = bf16;
                $body
            }
            DType::I64 => {
                type $name = i64;
                $body
            }
            DType::U8 => {
                type $name = u8;
                $body
            }
            DType::Bool => {
                type $name = Truth;
                $body
            }
        }
    };
}

/// The body once for each size of an element.
macro_rules! by_size {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype.bytes() {
            1 => {
                type $name = u8;
                $body
            }
            2 => {
                type $name = u16;
                $body
            }
            4 => {
                type $name = u32;
                $body
            }
            _ => {
                type $name = u64;
                $body
            }
        }
    };
}

/// Runs `launch` to its end on the calling thread and the helpers of `team`. Panics when an operand does not fit the kernel, and for a
/// kernel that says nothing defined.
pub(crate) fn execute(level: Level, team: &Team, launch: &Launch) {
    if let Some(reason) = launch.kernel.defect() {
        panic!("{}: {reason}", launch.kernel.name());
    }
    let run = Run { level, team, operands: Operands(launch) };
    match &launch.kernel {
        Kernel::Fill { elements, dtype, value } => by_type!(dtype, T => {
            let value = T::from_scalar(*value);
            run.output(*elements).in_parts(team, |_, part| fill::fill(part, value));
        }),
        Kernel::Arange { elements, dtype, start, step } => by_type!(dtype, T => {
            run.output::<T>(*elements).in_parts(team, |from, part| {
                fill::arange(level, dtype.is_float(), *start, *step, from, part);
            });
        }),
        Kernel::Uniform { elements, low, high, key } => {
            let bounds = [*low, *high];
            run.output(*elements).in_parts(team, |from, part| uniform::uniform(level, *key, bounds, from as u64, part));
        }
        Kernel::Randn { elements, key } => {
            run.output(*elements).in_parts(team, |from, part| randn::randn(level, *key, from as u64, part));
        }
        Kernel::Unary { op, dtype, a } => run.unary(*op, *dtype, a),
        Kernel::Binary { op, dtype, views } => run.binary(*op, *dtype, views),
        Kernel::Where { dtype, views } => by_size!(dtype, T => run.select::<T>(views)),
        Kernel::Cast { from, to, a } if from == to => by_size!(from, T => run.copy::<T>(a)),
        Kernel::Cast { from, to, a } => by_type!(from, S => by_type!(to, R => {
            let view = run.view::<S>(1, a);
            run.output::<R>(view.len())
                .in_parts(team, |from, part| elementwise::cast(level, part, from, &view));
        })),
        Kernel::Copy { dtype, a } => by_size!(dtype, T => run.copy::<T>(a)),
        Kernel::Matmul { dtype, a, b } => match dtype {
            DType::F32 => run.matmul::<f32>(a, b),
            DType::F64 => run.matmul::<f64>(a, b),
            DType::F16 => run.matmul_of_halves::<f16>(a, b),
            DType::BF16 => run.matmul_of_halves::<bf16>(a, b),
            DType::I64 => run.matmul_of_integers(a, b),
            DType::U8 | DType::Bool => unreachable!("a defect"),
        },
        Kernel::Reduce { op, dtype, a, kept } => reductions::reduce(&run, *op, *dtype, a, usize::from(*kept)),
        Kernel::IndexSelect { dtype, rows, width, count } => {
            by_size!(dtype, T => layers::index_select::<T>(&run, [*rows, *width, *count]));
        }
        Kernel::AddBias { dtype, a, width, activation } => layers::add_bias(&run, *dtype, a, *width, *activation),
        Kernel::LayerNorm { dtype, rows, width, epsilon, residual } => {
            layers::layer_norm(&run, *dtype, [*rows, *width], *epsilon, *residual);
        }
        Kernel::Attention { dtype, views, scale, masked, biased } => {
            layers::attention(&run, *dtype, views, *scale, [*masked, *biased]);
        }
        Kernel::Upload { bytes } => run.output::<u8>(*bytes).whole().copy_from_slice(&run.input(1)[..*bytes]),
        Kernel::Download { bytes, from, to } => {
            let out = run.output::<u8>(to.checked_add(*bytes).expect("a range of bytes"));
            out.whole()[*to..].copy_from_slice(&run.input(1)[*from..][..*bytes]);
        }
        Kernel::Spin { micros } => spin::spin(*micros),
        Kernel::Poison { bytes } => run.output(bytes / 4).in_parts(team, |_, part| fill::poison(part)),
        Kernel::Fingerprint { bytes } => run.output(1).whole()[0] = run.hash(*bytes),
    }
}

/// One launch under way.
struct Run<'a> {
    level: Level,
    team: &'a Team,
    operands: Operands<'a>,
}

impl<'a> Run<'a> {
    fn output<T: Element>(&self, elements: usize) -> Output<'a, T> {
        self.operands.output(0, elements)
    }

    fn input<T: Element>(&self, index: usize) -> &'a [T] {
        self.operands.input(index)
    }

    fn view<T: Element>(&self, index: usize, layout: &Layout) -> View<'a, T> {
        View::new(self.input(index), layout)
    }

    fn unary(&self, op: UnaryOp, dtype: DType, a: &Layout) {
        let level = self.level;
        macro_rules! floats {
            ($($name:ident $type:ty),*) => {
                match dtype {
                    $(DType::$name => self.in_place::<$type, 1>([1], [*a], |out, first, [a]| {
                        elementwise::unary_of_floats(level, op, out, first, a);
                    }),)*
                    DType::I64 => self.in_place::<i64, 1>([1], [*a], |out, first, [a]| {
                        elementwise::unary(level, op, out, first, a);
                    }),
                    DType::U8 => self.in_place::<u8, 1>([1], [*a], |out, first, [a]| {
                        elementwise::unary(level, op, out, first, a);
                    }),
                    DType::Bool => unreachable!("a defect"),
                }
            };
        }
        floats!(F32 f32, F64 f64, F16 f16, BF16 bf16);
    }

    fn binary(&self, op: BinaryOp, dtype: DType, views: &Views<2>) {
        let (level, [a, b]) = (self.level, views.all());
        by_type!(dtype, T => if op.compares() {
            let (a, b) = (self.view::<T>(1, &a), self.view::<T>(2, &b));
            self.output(a.len())
                .in_parts(self.team, |from, part| elementwise::compare(level, op, part, from, &a, &b));
        } else {
            self.in_place::<T, 2>([1, 2], [a, b], |out, first, [a, b]| {
                elementwise::binary(level, op, out, first, a, b);
            });
        });
    }

    fn select<T: Element>(&self, views: &Views<3>) {
        let [cond, a, b] = views.all();
        let cond = self.view::<u8>(1, &cond);
        self.in_place::<T, 2>([2, 3], [a, b], |out, first, [a, b]| {
            elementwise::select(self.level, out, first, &cond, a, b);
        });
    }

    /// Calls `work` with parts of the output and the views of the operands `indices`. Where the output is exactly such an operand, its
    /// elements are copied aside, a piece at a time, before they are written.
    fn in_place<T: Element, const N: usize>(
        &self,
        indices: [usize; N],
        layouts: [Layout; N],
        work: impl Fn(&mut [T], usize, [&View<'_, T>; N]) + Sync,
    ) {
        let elements = layouts[0].elements();
        let same: [bool; N] = std::array::from_fn(|n| self.operands.is_in_place::<T>(indices[n], &layouts[n]));
        let view = |n: usize| if same[n] { View::of(&[]) } else { self.view(indices[n], &layouts[n]) };
        let views: [View<'_, T>; N] = std::array::from_fn(view);
        if !same.contains(&true) {
            let out = self.output(elements);
            out.in_parts(self.team, |from, part| work(part, from, views.each_ref()));
            return;
        }
        let over: [usize; N] = std::array::from_fn(|n| if same[n] { indices[n] } else { 0 });
        let out = self.operands.output_over(0, elements, &over);
        out.in_parts(self.team, |from, part| {
            let mut aside = [T::default(); PIECE];
            for (i, piece) in part.chunks_mut(PIECE).enumerate() {
                let at = from + i * PIECE;
                let aside = &mut aside[..piece.len()];
                aside.copy_from_slice(piece);
                let held = View::held(aside, at);
                work(piece, at, std::array::from_fn(|n| if same[n] { &held } else { &views[n] }));
            }
        });
    }

    fn copy<T: Element>(&self, a: &Layout) {
        let view = self.view::<T>(1, a);
        self.output(view.len()).in_parts_of(self.team, rows_of(a), |from, part| copy::copy(part, from, &view));
    }

    fn matmul<T: Float>(&self, a: &Layout, b: &Layout) {
        let (left, right) = (Factor::new(self.input(1), a), Factor::new(self.input(2), b));
        let (m, _, n) = shape(a, b);
        let out = self.output::<T>(matmul::batch(a) * m * n);
        self.products(out.whole(), a, b, &left, &right);
    }

    fn products<T: Float>(&self, out: &mut [T], a: &Layout, b: &Layout, left: &Factor<'_, T>, right: &Factor<'_, T>) {
        let ((m, k, n), batch) = (shape(a, b), matmul::batch(a));
        let tiling = Tiling::of(m, k, n);
        let product = Product::new(out, batch, tiling);
        let tiles = batch * tiling.tiles();
        // Small products of a batch are taken in groups: a group is what one thread does.
        let group = (GROUP / m.saturating_mul(k).saturating_mul(n).max(1)).max(1);
        for_chunks(self.team, tiles.div_ceil(group), &|i| {
            for tile in i * group..tiles.min((i + 1) * group) {
                // SAFETY: asks for live results that only tiles with other indices touch; each index runs once.
                unsafe { product.write_tile(tile, left, right) };
            }
        });
    }

    /// The factors are widened, the product is made in f32, and its elements are rounded once. Takes memory of the host for all three.
    fn matmul_of_halves<S: Stored<Compute = f32>>(&self, a: &Layout, b: &Layout) {
        let (m, _, n) = shape(a, b);
        let (left, right) = (self.widened::<S>(1, a), self.widened::<S>(2, b));
        let mut product = vec![0f32; matmul::batch(a) * m * n];
        self.products(&mut product, a, b, &Factor::new(&left.0, &left.1), &Factor::new(&right.0, &right.1));
        let product = View::of(&product);
        self.output::<S>(product.len())
            .in_parts(self.team, |from, part| elementwise::cast(self.level, part, from, &product));
    }

    /// An operand in f32, with its layout: as it lies, or, where it has large holes, its elements alone.
    fn widened<S: Stored<Compute = f32>>(&self, index: usize, layout: &Layout) -> (Vec<f32>, Layout) {
        let (elements, extent) = (layout.elements(), layout.extent());
        let input = self.input::<S>(index);
        let dense = layout.dense().ok().filter(|_| extent / 2 > elements);
        let (view, layout) = match dense {
            Some(dense) => (View::new(input, layout), dense),
            None => (View::of(&input[..extent]), *layout),
        };
        let mut wide = vec![0f32; view.len()];
        elementwise::cast(self.level, &mut wide, 0, &view);
        (wide, layout)
    }

    fn matmul_of_integers(&self, a: &Layout, b: &Layout) {
        let (m, k, n) = shape(a, b);
        let dense = |index, layout: &Layout| {
            let view = self.view::<i64>(index, layout);
            let mut all = vec![0i64; view.len()];
            view.gather(0, &mut all);
            all
        };
        let (left, right) = (dense(1, a), dense(2, b));
        let out = self.output::<i64>(matmul::batch(a) * m * n);
        for (product, out) in out.whole().chunks_exact_mut((m * n).max(1)).enumerate() {
            matmul::integers(out, 0, k, n, &left[product * m * k..][..m * k], &right[product * k * n..][..k * n]);
        }
    }

    fn hash(&self, bytes: usize) -> u64 {
        let tail = &self.input::<u8>(1)[bytes / 4 * 4..bytes];
        let words = &self.input::<u32>(1)[..bytes / 4];
        let sum = millstream_sync::atomic::AtomicU64::new(Kernel::fingerprint_tail(words.len() as u64, tail));
        for_chunks(self.team, words.len().div_ceil(CHUNK), &|i| {
            let part = &words[i * CHUNK..words.len().min((i + 1) * CHUNK)];
            let share = fingerprint::fingerprint(self.level, (i * CHUNK) as u64, part);
            // ORDER: Relaxed; the team's end orders all chunks before the read below.
            sum.fetch_add(share, millstream_sync::atomic::Ordering::Relaxed);
        });
        sum.load(millstream_sync::atomic::Ordering::Relaxed)
    }
}

/// Multiply-adds of a group of small products.
const GROUP: usize = 1 << 20;

/// `m`, `k` and `n` of a product whose shapes fit.
fn shape(a: &Layout, b: &Layout) -> (usize, usize, usize) {
    let dims = a.dims();
    (a.size(dims - 2), a.size(dims - 1), b.size(dims - 1))
}

/// Elements of the innermost rows that a part should not cut: a transposition is done in whole rows.
fn rows_of(layout: &Layout) -> usize {
    if layout.dims() == 2 { layout.size(1) } else { 1 }
}

/// Small numbers of chunks are not worth a team.
fn for_chunks(team: &Team, chunks: usize, work: &(dyn Fn(usize) + Sync)) {
    if chunks <= 1 { (0..chunks).for_each(work) } else { team.run(chunks, work) }
}
