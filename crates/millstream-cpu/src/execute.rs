//! One launch: from operands to slices, and from slices to kernels, in chunks where the launch is large.
//!
//! The only place where an address becomes a slice. Sizes, alignment and aliasing are checked against the kernel before; what cannot be
//! checked is that the memory lives, and that is the runtime's promise (`memory-outlives-work`). A check that fails is a panic, which the
//! stream turns into the fault of the device.
//!
//! **Invariants**
//! * `disjoint-or-same`: an output overlaps no input, except that of an element-wise kernel may be exactly one.
//! * `partition-is-shape`: what is cut into chunks is cut by the number of elements alone.
#![expect(unsafe_code, reason = "operands are addresses")]

use millstream_hal::{BinaryOp, Kernel, Launch, Layout, Operand};
use millstream_sync::OwnedCell;

use crate::Level;
use crate::kernels::matmul::{Factor, Product, Tiling};
use crate::kernels::view::View;
use crate::kernels::{copy, elementwise, fill, fingerprint, randn, reduce, spin};
use crate::team::Team;

/// Elements of a chunk.
const CHUNK: usize = reduce::CHUNK;
/// Elements above which an operation is offered to the helpers.
const LARGE: usize = 1 << 18;

/// Runs `launch` to its end on the calling thread and the helpers of `team`. Panics when an operand does not fit the kernel.
pub(crate) fn execute(level: Level, team: &Team, launch: &Launch) {
    let operands = Operands(launch);
    match &launch.kernel {
        Kernel::Fill { elements, value } => {
            let out = operands.output::<f32>(0, *elements);
            out.in_parts(team, |_, part| fill::fill(part, *value));
        }
        Kernel::Randn { elements, key } => {
            let out = operands.output::<f32>(0, *elements);
            out.in_parts(team, |from, part| randn::randn(level, *key, from as u64, part));
        }
        Kernel::Binary { op, a, b } => binary(level, team, &operands, *op, a, b),
        Kernel::Copy { a } => {
            let out = operands.output::<f32>(0, a.elements());
            let view = View::new(operands.input(1), a);
            out.in_parts_of(team, rows_of(a), |from, part| copy::copy(part, from, &view));
        }
        Kernel::Matmul { m, k, n, a, b } => {
            let tiling = Tiling::of(*m, *k, *n);
            let out = operands.output::<f32>(0, m * n);
            let (a, b) = (Factor::new(operands.input(1), a, *m, *k), Factor::new(operands.input(2), b, *k, *n));
            let product = Product::new(out.whole(), tiling);
            for_chunks(team, tiling.tiles(), &|tile| {
                // SAFETY: asks for a live result that only tiles with other indices touch; each index runs once.
                unsafe { product.write_tile(tile, &a, &b) };
            });
        }
        Kernel::Reduce { op, a } => {
            let out = operands.output::<f32>(0, 1);
            let view = View::new(operands.input(1), a);
            let sum = if view.len() <= LARGE {
                reduce::reduce(level, *op, &view)
            } else {
                let nodes: Vec<_> =
                    (0..reduce::chunks(view.len())).map(|_| OwnedCell::new(reduce::Node::ZERO)).collect();
                let work = |i: usize| nodes[i].try_with(|node| *node = reduce::chunk(level, &view, i)).unwrap_or(());
                team.run(nodes.len(), &work);
                let nodes = nodes.into_iter().map(|mut node| *node.value_mut());
                reduce::combine(*op, view.len(), nodes)
            };
            out.whole()[0] = sum;
        }
        Kernel::Upload { bytes } => {
            operands.output::<u8>(0, *bytes).whole().copy_from_slice(&operands.input(1)[..*bytes]);
        }
        Kernel::Download { bytes, from, to } => {
            let out = operands.output::<u8>(0, to.checked_add(*bytes).expect("a range of bytes"));
            out.whole()[*to..].copy_from_slice(&operands.input(1)[*from..][..*bytes]);
        }
        Kernel::Spin { micros } => spin::spin(*micros),
        Kernel::Poison { bytes } => operands.output::<u32>(0, bytes / 4).in_parts(team, |_, part| fill::poison(part)),
        Kernel::Fingerprint { words } => {
            let out = operands.output::<u64>(0, 1);
            out.whole()[0] = hash(level, team, &operands.input(1)[..*words]);
        }
        other => panic!("kernel {} is not known to this backend", other.name()),
    }
}

fn binary(level: Level, team: &Team, operands: &Operands<'_>, op: BinaryOp, a: &Layout, b: &Layout) {
    assert!(a.same_shape(b), "{} of {a:?} and {b:?}", launch_name(op));
    let elements = a.elements();
    let in_place = |index: usize, layout: &Layout| {
        let (out, input) = (&operands.0.operands()[0], &operands.0.operands()[index]);
        out.ptr.0 == input.ptr.0 + 4 * layout.offset() as u64 && layout.is_contiguous()
    };
    match (in_place(1, a), in_place(2, b)) {
        (false, false) => {
            let out = operands.output::<f32>(0, elements);
            let (a, b) = (View::new(operands.input(1), a), View::new(operands.input(2), b));
            out.in_parts(team, |from, part| elementwise::binary(level, op, part, from, &a, &b));
        }
        (true, true) => {
            let out = operands.output_over::<f32>(0, elements, &[1, 2]);
            out.in_parts(team, |_, part| elementwise::binary_with_itself(op, part));
        }
        // Both operations commute.
        (left, _) => {
            let (same, other, layout) = if left { (1, 2, b) } else { (2, 1, a) };
            let out = operands.output_over::<f32>(0, elements, &[same]);
            let view = View::new(operands.input(other), layout);
            out.in_parts(team, |from, part| elementwise::binary_in_place(level, op, part, from, &view));
        }
    }
}

fn launch_name(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "add",
        BinaryOp::Mul => "mul",
    }
}

fn hash(level: Level, team: &Team, words: &[u32]) -> u64 {
    let sum = millstream_sync::atomic::AtomicU64::new(0);
    for_chunks(team, words.len().div_ceil(CHUNK), &|i| {
        let part = &words[i * CHUNK..words.len().min((i + 1) * CHUNK)];
        // ORDER: Relaxed; the team's end orders all chunks before the read below.
        sum.fetch_add(
            fingerprint::fingerprint(level, (i * CHUNK) as u64, part),
            millstream_sync::atomic::Ordering::Relaxed,
        );
    });
    sum.load(millstream_sync::atomic::Ordering::Relaxed)
}

/// Elements of the innermost rows that a part should not cut: a transposition is done in whole rows.
fn rows_of(layout: &Layout) -> usize {
    if layout.dims() == 2 { layout.size(1) } else { 1 }
}

/// Small numbers of chunks are not worth a team.
fn for_chunks(team: &Team, chunks: usize, work: &(dyn Fn(usize) + Sync)) {
    if chunks <= 1 { (0..chunks).for_each(work) } else { team.run(chunks, work) }
}

/// The operands of a launch, as the kernel's variant lists them.
struct Operands<'a>(&'a Launch);

impl<'a> Operands<'a> {
    fn operand(&self, index: usize) -> &'a Operand {
        let all = self.0.operands();
        all.get(index).unwrap_or_else(|| panic!("{} has {} operands", self.0.kernel.name(), all.len()))
    }

    /// Operand `index` as elements that are read.
    fn input<T: Element>(&self, index: usize) -> &'a [T] {
        let operand = self.operand(index);
        let Some(pointer) = self.pointer::<T>(index, operand) else { return &[] };
        // SAFETY: asks for initialised, aligned, live elements that nobody writes; the runtime keeps the memory and orders writers
        // (`memory-outlives-work`), all of it was zeroed when taken, alignment is checked in `pointer`, outputs in `output_over`.
        unsafe { std::slice::from_raw_parts(pointer, operand.bytes / size_of::<T>()) }
    }

    /// Operand `index` as `elements` elements that are written, and that no other operand overlaps.
    fn output<T: Element>(&self, index: usize, elements: usize) -> Output<'a, T> {
        self.output_over(index, elements, &[])
    }

    /// The same, but the operands `same` may overlap, since the caller makes no slice of them.
    fn output_over<T: Element>(&self, index: usize, elements: usize, same: &[usize]) -> Output<'a, T> {
        let operand = self.operand(index);
        let bytes = elements.checked_mul(size_of::<T>()).filter(|bytes| *bytes <= operand.bytes);
        let name = self.0.kernel.name();
        let bytes = bytes.unwrap_or_else(|| panic!("{name} writes {elements} elements to {} bytes", operand.bytes));
        let end = |start: u64, bytes: usize| start + bytes as u64;
        for (i, other) in self.0.operands().iter().enumerate().filter(|(i, _)| *i != index && !same.contains(i)) {
            let apart = operand.ptr.0 >= end(other.ptr.0, other.bytes) || other.ptr.0 >= end(operand.ptr.0, bytes);
            assert!(apart || bytes == 0 || other.bytes == 0, "{name}: its output overlaps operand {i}");
        }
        let start = self.pointer::<T>(index, operand).unwrap_or(std::ptr::dangling_mut());
        Output { start, elements, life: std::marker::PhantomData }
    }

    /// The address of an operand, unless it is empty.
    fn pointer<T: Element>(&self, index: usize, operand: &Operand) -> Option<*mut T> {
        if operand.bytes == 0 {
            return None;
        }
        let aligned = operand.ptr.0 != 0 && operand.ptr.0.is_multiple_of(align_of::<T>() as u64);
        assert!(aligned, "{}: operand {index} lies at {:#x}", self.0.kernel.name(), operand.ptr.0);
        Some(operand.ptr.0 as *mut T)
    }
}

/// Plain numbers: any bits are a value.
trait Element: Copy + Send + Sync {}
impl Element for u8 {}
impl Element for u32 {}
impl Element for u64 {}
impl Element for f32 {}

/// Elements that this launch alone writes.
struct Output<'a, T> {
    start: *mut T,
    elements: usize,
    life: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: the elements are handed to several threads in parts that do not overlap (`in_parts_of`).
unsafe impl<T: Element> Sync for Output<'_, T> {}

impl<T: Element> Output<'_, T> {
    /// All elements. Called once, or not at all, as the SAFETY note of `part` needs.
    fn whole(&self) -> &mut [T] {
        self.part(0, self.elements)
    }

    #[expect(clippy::mut_from_ref, reason = "parts of one output do not overlap; see SAFETY")]
    fn part(&self, from: usize, elements: usize) -> &mut [T] {
        assert!(from + elements <= self.elements);
        // SAFETY: asks for live elements that nobody else touches: checked against the other operands when the output was made, ordered
        // after all other work by the runtime; within this launch each element is in one part, asked for once.
        unsafe { std::slice::from_raw_parts_mut(self.start.wrapping_add(from), elements) }
    }

    /// Calls `work` with each part and its first element, on several threads if there are many elements.
    fn in_parts(&self, team: &Team, work: impl Fn(usize, &mut [T]) + Sync) {
        self.in_parts_of(team, 1, work);
    }

    /// The same, where a part consists of whole rows of `row` elements.
    fn in_parts_of(&self, team: &Team, row: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        if self.elements <= LARGE {
            work(0, self.whole());
            return;
        }
        let size = CHUNK.next_multiple_of(row.max(1));
        team.run(self.elements.div_ceil(size), &|i| {
            let from = i * size;
            work(from, self.part(from, size.min(self.elements - from)));
        });
    }
}
