// Elements as numbers: reading, writing, and how a number changes its type. Compiled in front of every other file.
//
// No header of the toolkit is needed: f16 and bf16 are two bytes, and their conversions are instructions or integer arithmetic. The rules are
// those of millstream-hal's `dtype` module. Everything is compiled without contraction of a product and a sum; where one rounding is
// wanted, fma is written out.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct f16 { u16 bits; };
struct bf16 { u16 bits; };
struct truth { u8 byte; };

// In the order of hal's DType.
enum DType : u32 { F32, F64, F16, BF16, I64, U8, BOOL };

#define DEVICE __device__ __forceinline__
// Every element once, whatever the grid.
#define EACH(i, n) for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (u64)gridDim.x * blockDim.x)

DEVICE float f16_value(u16 bits) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(bits)); return y; }
DEVICE u16 f16_bits(float x) { u16 y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
DEVICE u16 f16_bits(double x) { u16 y; asm("cvt.rn.f16.f64 %0, %1;" : "=h"(y) : "d"(x)); return y; }
DEVICE u16 f16_bits(i64 x) { u16 y; asm("cvt.rn.f16.s64 %0, %1;" : "=h"(y) : "l"(x)); return y; }

DEVICE float bf16_value(u16 bits) { return __uint_as_float((u32)bits << 16); }
// To nearest, ties to even.
DEVICE u16 bf16_bits(float x) {
    u32 bits = __float_as_uint(x);
    if (x != x) return 0x7fff;
    return (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
// Wider numbers go to f32 by rounding to odd, which keeps what the second rounding must know (Boldo and Melquiond, 2005).
DEVICE u16 bf16_bits(double x) {
    float near = __double2float_rz(x);
    return bf16_bits(__uint_as_float(__float_as_uint(near) | (u32)((double)near != x)));
}
DEVICE u16 bf16_bits(i64 x) {
    float near = __ll2float_rz(x);
    return bf16_bits(__uint_as_float(__float_as_uint(near) | (u32)((i64)near != x)));
}

// What an element is computed in (`C`), and the way there and back.
template <class T> struct As;
template <> struct As<float> {
    typedef float C;
    static DEVICE C get(float x) { return x; }
    static DEVICE float put(C x) { return x; }
};
template <> struct As<double> {
    typedef double C;
    static DEVICE C get(double x) { return x; }
    static DEVICE double put(C x) { return x; }
};
template <> struct As<f16> {
    typedef float C;
    static DEVICE C get(f16 x) { return f16_value(x.bits); }
    static DEVICE f16 put(C x) { f16 y; y.bits = f16_bits(x); return y; }
};
template <> struct As<bf16> {
    typedef float C;
    static DEVICE C get(bf16 x) { return bf16_value(x.bits); }
    static DEVICE bf16 put(C x) { bf16 y; y.bits = bf16_bits(x); return y; }
};
template <> struct As<i64> {
    typedef i64 C;
    static DEVICE C get(i64 x) { return x; }
    static DEVICE i64 put(C x) { return x; }
};
template <> struct As<u8> {
    typedef i64 C;
    static DEVICE C get(u8 x) { return x; }
    static DEVICE u8 put(C x) { return (u8)x; }
};
template <> struct As<truth> {
    typedef i64 C;
    static DEVICE C get(truth x) { return x.byte != 0; }
    static DEVICE truth put(C x) { truth y; y.byte = x != 0; return y; }
};

// Wrapping arithmetic: signed overflow is undefined in C++.
DEVICE i64 add_wrapping(i64 x, i64 y) { return (i64)((u64)x + (u64)y); }
DEVICE i64 mul_wrapping(i64 x, i64 y) { return (i64)((u64)x * (u64)y); }

// A number of no type yet.
enum Kind : u32 { REAL, WHOLE, LOGICAL };
struct Number {
    double real;
    i64 whole;
    u32 kind;
    u32 unused;
};

DEVICE double as_real(const Number& x) { return x.kind == REAL ? x.real : (double)x.whole; }
DEVICE i64 as_whole(const Number& x) {
    if (x.kind != REAL) return x.whole;
    return x.real != x.real ? 0 : __double2ll_rz(x.real);
}
DEVICE u8 as_byte(const Number& x) {
    if (x.kind != REAL) return (u8)x.whole;
    return !(x.real > 0.0) ? 0 : x.real >= 255.0 ? 255 : (u8)__double2uint_rz(x.real);
}
DEVICE bool as_truth(const Number& x) { return x.kind == REAL ? x.real != 0.0 : x.whole != 0; }

DEVICE Number number(double x) { Number y = {x, 0, REAL, 0}; return y; }
DEVICE Number number(i64 x) { Number y = {0.0, x, WHOLE, 0}; return y; }

// The bits of an element.
DEVICE u64 encode(u32 dtype, const Number& x) {
    switch (dtype) {
        case F32: return __float_as_uint(x.kind == REAL ? __double2float_rn(x.real) : __ll2float_rn(x.whole));
        case F64: return (u64)__double_as_longlong(as_real(x));
        case F16: return x.kind == REAL ? f16_bits(x.real) : f16_bits(x.whole);
        case BF16: return x.kind == REAL ? bf16_bits(x.real) : bf16_bits(x.whole);
        case I64: return (u64)as_whole(x);
        case U8: return as_byte(x);
        default: return as_truth(x);
    }
}

DEVICE void store(u32 dtype, void* out, u64 i, u64 bits) {
    switch (dtype) {
        case F64: case I64: ((u64*)out)[i] = bits; break;
        case F32: ((u32*)out)[i] = (u32)bits; break;
        case F16: case BF16: ((u16*)out)[i] = (u16)bits; break;
        default: ((u8*)out)[i] = (u8)bits;
    }
}

DEVICE Number decode(u32 dtype, const void* in, u64 i) {
    switch (dtype) {
        case F32: return number((double)((const float*)in)[i]);
        case F64: return number(((const double*)in)[i]);
        case F16: return number((double)f16_value(((const u16*)in)[i]));
        case BF16: return number((double)bf16_value(((const u16*)in)[i]));
        case I64: return number(((const i64*)in)[i]);
        case U8: return number((i64)((const u8*)in)[i]);
        default: return number((i64)(((const u8*)in)[i] != 0));
    }
}
