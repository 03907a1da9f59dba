//! Operands of a launch as slices, and outputs in parts for several threads.
//!
//! The only place where an address becomes a slice. Sizes, alignment and aliasing are checked against the kernel before; what cannot be
//! checked is that the memory lives, and that is the runtime's promise (`memory-outlives-work`). A check that fails is a panic, which the
//! stream turns into the fault of the device.
//!
//! **Invariants**
//! * `disjoint-or-same`: an output overlaps no input, except that of an element-wise kernel may be exactly one or several.
//! * `partition-is-shape`: what is cut into parts is cut by the number of elements alone.
#![expect(unsafe_code, reason = "operands are addresses")]

use millstream_hal::{Launch, Layout, Operand};

use crate::kernels::number::Element;
use crate::kernels::reduce;
use crate::team::Team;

/// Elements of a chunk.
pub(crate) const CHUNK: usize = reduce::CHUNK;
/// Elements above which an operation is offered to the helpers.
pub(crate) const LARGE: usize = 1 << 18;

/// The operands of a launch, as the kernel's variant lists them.
pub(crate) struct Operands<'a>(pub(crate) &'a Launch);

impl<'a> Operands<'a> {
    fn operand(&self, index: usize) -> &'a Operand {
        let all = self.0.operands();
        all.get(index).unwrap_or_else(|| panic!("{} has {} operands", self.0.kernel.name(), all.len()))
    }

    /// Whether the output is exactly the elements of operand `index` under `layout`.
    pub(crate) fn is_in_place<T: Element>(&self, index: usize, layout: &Layout) -> bool {
        let (out, input) = (self.operand(0), self.operand(index));
        let first = input.ptr.0 + (layout.offset() * size_of::<T>()) as u64;
        out.ptr.0 == first && layout.is_contiguous() && layout.extent() > 0
    }

    /// Operand `index` as elements that are read.
    pub(crate) fn input<T: Element>(&self, index: usize) -> &'a [T] {
        let operand = self.operand(index);
        let Some(pointer) = self.pointer::<T>(index, operand) else { return &[] };
        // SAFETY: asks for initialised, aligned, live elements that nobody writes; the runtime keeps the memory and orders writers
        // (`memory-outlives-work`), all of it was zeroed when taken, alignment is checked in `pointer`, outputs in `output_over`.
        unsafe { std::slice::from_raw_parts(pointer, operand.bytes / size_of::<T>()) }
    }

    /// Operand `index` as `elements` elements that are written, and that no other operand overlaps.
    pub(crate) fn output<T: Element>(&self, index: usize, elements: usize) -> Output<'a, T> {
        self.output_over(index, elements, &[])
    }

    /// The same, but the operands `same` may overlap, since the caller makes no slice of them.
    pub(crate) fn output_over<T: Element>(&self, index: usize, elements: usize, same: &[usize]) -> Output<'a, T> {
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

/// Elements that this launch alone writes.
pub(crate) struct Output<'a, T> {
    start: *mut T,
    elements: usize,
    life: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: the elements are handed to several threads in parts that do not overlap (`in_parts_of`).
unsafe impl<T: Element> Sync for Output<'_, T> {}

impl<T: Element> Output<'_, T> {
    /// All elements. Called once, or not at all, as the SAFETY note of `part` needs.
    pub(crate) fn whole(&self) -> &mut [T] {
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
    pub(crate) fn in_parts(&self, team: &Team, work: impl Fn(usize, &mut [T]) + Sync) {
        self.in_parts_of(team, 1, work);
    }

    /// The same, where a part consists of whole rows of `row` elements.
    pub(crate) fn in_parts_of(&self, team: &Team, row: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        if self.elements <= LARGE {
            work(0, self.whole());
            return;
        }
        self.in_parts_sized(team, CHUNK.next_multiple_of(row.max(1)), work);
    }

    /// The same, with parts of `size` elements.
    pub(crate) fn in_parts_sized(&self, team: &Team, size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        team.run(self.elements.div_ceil(size), &|i| {
            let from = i * size;
            work(from, self.part(from, size.min(self.elements - from)));
        });
    }
}
