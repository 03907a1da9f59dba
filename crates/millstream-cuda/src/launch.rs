//! One launch: from a kernel's data to one driver call.
//!
//! Each kernel of the device takes one parameter, a structure that is written here and in the sources; a test compares the sizes. Grids follow from the shape
//! and the device, and no kernel's bits depend on its grid.
//!
//! **Invariants**
//! * `one-call`: a launch is one driver call, or none for a kernel of no element.

mod arguments;
mod layers;
mod matmul;
mod reduce;
mod walk;

use millstream_hal::{DType, Kernel, Launch, Layout, PhiloxKey, Scalar};

use self::arguments::{Aid, CARRIES, Carry, CarryAll, Elementwise, Fill, Number, Random};
use self::walk::Walk;
use crate::driver::{Answer, Driver, Handle};
use crate::functions::Functions;
use crate::stream::Scratch;

/// Where a launch goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct To<'a> {
    pub(crate) driver: &'a Driver,
    pub(crate) functions: &'a Functions,
    pub(crate) stream: Handle,
    pub(crate) scratch: Scratch,
    pub(crate) multiprocessors: u32,
}

/// Bytes up to which a kernel carries a download: the results of reductions.
const CARRIED_MAX: usize = 4096;

/// Most launches that are joined.
pub(crate) const JOINED_MAX: usize = CARRIES;

/// Threads that carry so many bytes.
fn carriers(bytes: usize) -> u32 {
    if bytes <= 128 { 32 } else { 256 }
}

/// Blocks of a multiprocessor that a grid has at most.
const WAVES: u32 = 16;

impl To<'_> {
    /// Enqueues `function` over `items`, of which a block of `threads` has one each.
    fn over<A>(&self, function: Handle, items: usize, threads: u32, argument: &A) -> Answer {
        self.blocks(function, items.div_ceil(threads as usize), threads, argument)
    }

    /// Enqueues `function` in `blocks` blocks, or as many as the device has a use for: its loops take the rest.
    fn blocks<A>(&self, function: Handle, blocks: usize, threads: u32, argument: &A) -> Answer {
        let most = self.multiprocessors * WAVES * (256 / threads).max(1);
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX).clamp(1, most);
        self.driver.launch(function, [blocks, 1], threads, self.stream, argument)
    }

    fn elementwise<const N: usize>(
        &self,
        function: Handle,
        launch: &Launch,
        layouts: [Layout; N],
        bytes: [usize; N],
        codes: [u32; 2],
    ) -> Answer {
        let elements = layouts[0].elements();
        if elements == 0 {
            return Ok(());
        }
        let ptr = |n: usize| launch.operands()[n].ptr.0;
        let argument = Elementwise {
            out: ptr(0),
            inputs: std::array::from_fn(|n| ptr(n + 1) + (layouts[n].offset() * bytes[n]) as u64),
            op: codes[0],
            to: codes[1],
            walk: Walk::new(&layouts),
        };
        self.over(function, elements, 256, &argument)
    }
}

/// Enqueues `launch`, whose operands were checked.
pub(crate) fn enqueue(to: &To<'_>, launch: &Launch) -> Answer {
    let f = to.functions;
    let ptr = |n: usize| launch.operands()[n].ptr.0;
    match &launch.kernel {
        Kernel::Fill { elements: 0, .. }
        | Kernel::Arange { elements: 0, .. }
        | Kernel::Uniform { elements: 0, .. }
        | Kernel::Randn { elements: 0, .. }
        | Kernel::Upload { bytes: 0 }
        | Kernel::Download { bytes: 0, .. }
        | Kernel::Poison { bytes: 0 } => Ok(()),
        Kernel::Fill { elements, dtype, value } => {
            let fill = Fill::new(ptr(0), *elements, *dtype, Number::of(*value), Number::of(*value));
            to.over(f.fill, *elements, 256, &fill)
        }
        Kernel::Arange { elements, dtype, start, step } => {
            let number = |x: &Scalar| if dtype.is_float() { Number::real(*x) } else { Number::whole(*x) };
            to.over(f.arange, *elements, 256, &Fill::new(ptr(0), *elements, *dtype, number(start), number(step)))
        }
        Kernel::Uniform { elements, low, high, key } => {
            let mut random = random(ptr(0), *elements, key);
            (random.low, random.width, random.below_high) = (*low, high - low, high.next_down());
            to.over(f.uniform, elements.div_ceil(4), 128, &random)
        }
        Kernel::Randn { elements, key } => to.over(f.randn, elements.div_ceil(4), 128, &random(ptr(0), *elements, key)),
        Kernel::Unary { op, dtype, a } => {
            to.elementwise(f.unary(*dtype), launch, [*a], [dtype.bytes()], [*op as u32, 0])
        }
        Kernel::Binary { op, dtype, views } => {
            to.elementwise(f.binary(*dtype), launch, views.all(), [dtype.bytes(); 2], [*op as u32, 0])
        }
        Kernel::Where { dtype, views } => {
            let bytes = [DType::Bool.bytes(), dtype.bytes(), dtype.bytes()];
            to.elementwise(f.select(*dtype), launch, views.all(), bytes, [0; 2])
        }
        Kernel::Cast { from, to: result, a } if from != result => {
            to.elementwise(f.cast, launch, [*a], [from.bytes()], [*from as u32, *result as u32])
        }
        Kernel::Cast { from: dtype, a, .. } | Kernel::Copy { dtype, a } => {
            to.elementwise(f.copy(*dtype), launch, [*a], [dtype.bytes()], [0; 2])
        }
        Kernel::Matmul { dtype, a, b } => matmul::enqueue(to, [ptr(0), ptr(1), ptr(2)], *dtype, a, b),
        Kernel::Reduce { op, dtype, a, kept } => {
            reduce::enqueue(to, [ptr(0), ptr(1)], *op, *dtype, a, usize::from(*kept))
        }
        Kernel::IndexSelect { dtype, rows, width, count } => {
            layers::index_select(to, launch, *dtype, [*rows, *width, *count])
        }
        Kernel::AddBias { dtype, a, width, activation } => layers::add_bias(to, launch, *dtype, a, *width, *activation),
        Kernel::LayerNorm { dtype, rows, width, epsilon, residual } => {
            layers::layer_norm(to, launch, *dtype, [*rows, *width], *epsilon, *residual)
        }
        Kernel::Attention { dtype, views, scale, masked, biased } => {
            layers::attention(to, launch, *dtype, &views.all(), *scale, [*masked, *biased])
        }
        Kernel::Upload { bytes } => to.driver.copy_to_device(ptr(0), ptr(1), *bytes, to.stream),
        Kernel::Download { bytes, from, to: at } if *bytes <= CARRIED_MAX => {
            to.over(f.carry, bytes.div_ceil(4), carriers(*bytes), &Carry::new(ptr(0), *at, ptr(1), *from, *bytes))
        }
        Kernel::Download { bytes, from, to: at } => {
            to.driver.copy_to_host(ptr(0) + *at as u64, ptr(1) + *from as u64, *bytes, to.stream)
        }
        Kernel::Spin { micros } => {
            let aid = Aid { out: 0, words: 0, nanoseconds: u64::from(*micros) * 1000 };
            to.driver.launch(f.spin, [1, 1], 1, to.stream, &aid)
        }
        Kernel::Poison { bytes } => {
            to.over(f.poison, bytes / 4, 256, &Aid { out: ptr(0), words: *bytes as u64 / 4, nanoseconds: 0 })
        }
        Kernel::Fingerprint { bytes } => reduce::fingerprint(to, [ptr(0), ptr(1)], *bytes),
    }
}

/// What a small download carries.
fn carried(launch: &Launch) -> Option<Carry> {
    let Kernel::Download { bytes, from, to } = launch.kernel else { return None };
    let ptr = |n: usize| launch.operands()[n].ptr.0;
    (1..=CARRIED_MAX).contains(&bytes).then(|| Carry::new(ptr(0), to, ptr(1), from, bytes))
}

/// Enqueues the first of `launches`, whose operands were checked, with the small downloads after it when it is one; says how many.
pub(crate) fn enqueue_joined(to: &To<'_>, launches: &[Launch]) -> Answer<usize> {
    let mut all = CarryAll::default();
    let (mut joined, mut most) = (0, 0);
    for (launch, place) in launches.iter().zip(&mut all.pieces) {
        let Some(carry) = carried(launch) else { break };
        (joined, most) = (joined + 1, most.max(carry.bytes as usize));
        *place = carry;
    }
    if joined < 2 {
        return enqueue(to, &launches[0]).map(|()| 1);
    }
    to.driver.launch(to.functions.carry_all, [joined as u32, 1], carriers(most), to.stream, &all).map(|()| joined)
}

fn random(out: u64, elements: usize, key: &PhiloxKey) -> Random {
    let PhiloxKey { seed, sequence, offset } = *key;
    Random { out, elements: elements as u64, seed, sequence, offset, low: 0.0, width: 0.0, below_high: 0.0, unused: 0 }
}
