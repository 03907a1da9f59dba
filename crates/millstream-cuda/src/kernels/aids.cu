// What verification needs of a device: a stream kept busy, and freed blocks overwritten. And bytes carried to the host, for small transfers.

struct Aid {
    u32* out;
    u64 words;
    u64 nanoseconds;
};

static_assert(sizeof(Aid) == 24, "as on the host");

extern "C" __global__ void __launch_bounds__(256) poison(const __grid_constant__ Aid x) {
    EACH(i, x.words) x.out[i] = 0x7fa5a5a5u;
}

extern "C" __global__ void spin(const __grid_constant__ Aid x) {
    u64 begun, now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begun));
    do {
        __nanosleep(500);
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    } while (now - begun < x.nanoseconds);
}

struct Carry {
    u8* to;
    const u8* from;
    u64 bytes;
};
static_assert(sizeof(Carry) == 24, "as on the host");

// To pinned memory of the host. For a few bytes this is far cheaper than a copy engine, of which all streams share few.
DEVICE void carry_from(const Carry& x, u64 first, u64 step) {
    if ((((u64)x.to | (u64)x.from | x.bytes) & 3) == 0) {
        for (u64 i = first; i < x.bytes / 4; i += step) ((u32*)x.to)[i] = ((const u32*)x.from)[i];
    } else {
        for (u64 i = first; i < x.bytes; i += step) x.to[i] = x.from[i];
    }
}

extern "C" __global__ void __launch_bounds__(256) carry(const __grid_constant__ Carry x) {
    carry_from(x, (u64)blockIdx.x * blockDim.x + threadIdx.x, (u64)gridDim.x * blockDim.x);
}

struct CarryAll {
    Carry pieces[128];
};
static_assert(sizeof(CarryAll) == 3072, "as on the host");

// A block for each piece.
extern "C" __global__ void __launch_bounds__(256) carry_all(const __grid_constant__ CarryAll x) {
    carry_from(x.pieces[blockIdx.x], threadIdx.x, blockDim.x);
}
