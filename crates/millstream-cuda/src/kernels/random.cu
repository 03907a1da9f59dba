// Normal and uniform numbers: a thread makes the four of one Philox4x32-10 block (Salmon et al., SC11), so an element depends on its
// position alone. The words are those of every other backend to the bit; the normals are within the suite's tolerance.

struct Random {
    float* out;
    u64 elements;
    u64 seed;
    u64 sequence;
    u64 offset;
    float low;
    float width;
    float below_high;
    u32 unused;
};

static_assert(sizeof(Random) == 56, "as on the host");

DEVICE uint4 philox(u64 counter, u64 sequence, u64 seed) {
    u32 c0 = (u32)counter, c1 = (u32)(counter >> 32), c2 = (u32)sequence, c3 = (u32)(sequence >> 32);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    #pragma unroll
    for (int round = 0; round < 10; round++) {
        u64 low = (u64)0xd2511f53u * c0, high = (u64)0xcd9e8d57u * c2;
        c0 = (u32)(high >> 32) ^ c1 ^ k0;
        c2 = (u32)(low >> 32) ^ c3 ^ k1;
        c1 = (u32)high;
        c3 = (u32)low;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return make_uint4(c0, c1, c2, c3);
}

// The natural logarithm of (w + 1) / 2^32. Near 1 it is taken from the distance to 1, which the word has exactly. The polynomial is
// a least-maximum fit of (log(1 + f) - f + f^2 / 2) / f^3 over [-1/3, 1/3], off by at most 5e-9 of the logarithm.
DEVICE float log_unit(u32 w) {
    float u = __uint2float_rn(w + 1u == 0u ? 0xffffffffu : w + 1u);
    u32 bits = __float_as_uint(u);
    // u = m 2^e with m in [2/3, 4/3).
    int e = (int)(bits - 0x3f2aaaabu) >> 23;
    float f = __uint_as_float(bits - ((u32)e << 23)) - 1.0f;
    float exponent = (float)(e - 32);
    if (w >= 0xaaaaaaaau) {
        f = -__uint2float_rn(~w) * 2.32830643653869629e-10f;
        exponent = 0.0f;
    }
    float p = -0.12891665f;
    p = fmaf(p, f, 0.139844448f);
    p = fmaf(p, f, -0.12184265f);
    p = fmaf(p, f, 0.140058673f);
    p = fmaf(p, f, -0.166804871f);
    p = fmaf(p, f, 0.20010406f);
    p = fmaf(p, f, -0.249997977f);
    p = fmaf(p, f, 0.33333216f);
    float square = f * f;
    float log1p = fmaf(square * f, p, fmaf(-0.5f, square, f));
    return fmaf(exponent, 0.693147181f, log1p);
}

// Box-Muller (Box and Muller, 1958). The angle is taken from -pi on, where the fast sine and cosine are off by less than 4e-7; the radius is at most
// 6.7, so a normal is off by less than 4e-6.
DEVICE float2 normal_pair(u32 w0, u32 w1) {
    float radius;
    asm("sqrt.approx.f32 %0, %1;" : "=f"(radius) : "f"(-2.0f * log_unit(w0)));
    float angle = __int2float_rn((int)w1) * 1.46291807926715968e-9f;
    return make_float2(radius * __cosf(angle), radius * __sinf(angle));
}

DEVICE void put_four(float* out, u64 first, u64 elements, float4 v) {
    if (first + 4 <= elements && ((u64)out & 15) == 0) {
        *(float4*)(out + first) = v;
        return;
    }
    float all[4] = {v.x, v.y, v.z, v.w};
    #pragma unroll
    for (int j = 0; j < 4; j++)
        if (first + j < elements) out[first + j] = all[j];
}

extern "C" __global__ void __launch_bounds__(128) randn(const __grid_constant__ Random x) {
    EACH(i, (x.elements + 3) / 4) {
        uint4 w = philox(x.offset + i, x.sequence, x.seed);
        float2 a = normal_pair(w.x, w.y), b = normal_pair(w.z, w.w);
        put_four(x.out, 4 * i, x.elements, make_float4(a.x, a.y, b.x, b.y));
    }
}

DEVICE float uniform_of(const Random& x, u32 w) {
    return fminf(fmaf(__uint2float_rn(w >> 8) * 5.96046447753906250e-8f, x.width, x.low), x.below_high);
}

extern "C" __global__ void __launch_bounds__(128) uniform(const __grid_constant__ Random x) {
    EACH(i, (x.elements + 3) / 4) {
        uint4 w = philox(x.offset + i, x.sequence, x.seed);
        float4 v = make_float4(uniform_of(x, w.x), uniform_of(x, w.y), uniform_of(x, w.z), uniform_of(x, w.w));
        put_four(x.out, 4 * i, x.elements, v);
    }
}
