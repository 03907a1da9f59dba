// Element-wise kernels: one operand, two, a choice, casts, copies, fills, ranges. Each thread reads an element before it writes it, so an output
// may be exactly an input.

template <int N> struct Elementwise {
    void* out;
    const void* in[N];
    u32 op;
    u32 to;
    Walk<N> walk;
};

static_assert(sizeof(Elementwise<1>) == 104, "as on the host");
static_assert(sizeof(Elementwise<2>) == 144, "as on the host");
static_assert(sizeof(Elementwise<3>) == 184, "as on the host");

#define UNARY(name, T)                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) unary_##name(const __grid_constant__ Elementwise<1> x) { \
        EACH(i, x.walk.elements) {                                                                          \
            u64 at[1];                                                                                      \
            locate(x.walk, i, at);                                                                          \
            ((T*)x.out)[i] = As<T>::put(unary_of(x.op, As<T>::get(((const T*)x.in[0])[at[0]])));            \
        }                                                                                                   \
    }
UNARY(f32, float)
UNARY(f64, double)
UNARY(f16, f16)
UNARY(bf16, bf16)
UNARY(i64, i64)
UNARY(u8, u8)

// In the order of hal's BinaryOp.
enum Binary : u32 { ADD, SUB, MUL, DIV, EQ, NE, LT, LE, GT, GE };

DEVICE float binary_of(u32 op, float x, float y) {
    return op == ADD ? x + y : op == SUB ? x - y : op == MUL ? x * y : __fdiv_rn(x, y);
}
DEVICE double binary_of(u32 op, double x, double y) {
    return op == ADD ? x + y : op == SUB ? x - y : op == MUL ? x * y : __ddiv_rn(x, y);
}
DEVICE i64 binary_of(u32 op, i64 x, i64 y) {
    if (op == ADD) return add_wrapping(x, y);
    if (op == SUB) return add_wrapping(x, (i64)(0 - (u64)y));
    if (op == MUL) return mul_wrapping(x, y);
    return y == 0 ? 0 : y == -1 ? (i64)(0 - (u64)x) : x / y;
}
template <class C> DEVICE bool compare(u32 op, C x, C y) {
    switch (op) {
        case EQ: return x == y;
        case NE: return x != y;
        case LT: return x < y;
        case LE: return x <= y;
        case GT: return x > y;
        default: return x >= y;
    }
}

#define BINARY(name, T)                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) binary_##name(const __grid_constant__ Elementwise<2> x) { \
        EACH(i, x.walk.elements) {                                                                           \
            u64 at[2];                                                                                       \
            locate(x.walk, i, at);                                                                           \
            As<T>::C a = As<T>::get(((const T*)x.in[0])[at[0]]), b = As<T>::get(((const T*)x.in[1])[at[1]]); \
            if (x.op >= EQ) ((u8*)x.out)[i] = compare(x.op, a, b);                                           \
            else ((T*)x.out)[i] = As<T>::put(binary_of(x.op, a, b));                                         \
        }                                                                                                    \
    }
BINARY(f32, float)
BINARY(f64, double)
BINARY(f16, f16)
BINARY(bf16, bf16)
BINARY(i64, i64)
BINARY(u8, u8)
BINARY(bool, truth)

#define BY_SIZE(bytes, T)                                                                                         \
    extern "C" __global__ void __launch_bounds__(256) where_##bytes(const __grid_constant__ Elementwise<3> x) {   \
        EACH(i, x.walk.elements) {                                                                                \
            u64 at[3];                                                                                            \
            locate(x.walk, i, at);                                                                                \
            T a = ((const T*)x.in[1])[at[1]], b = ((const T*)x.in[2])[at[2]];                                     \
            ((T*)x.out)[i] = ((const u8*)x.in[0])[at[0]] != 0 ? a : b;                                            \
        }                                                                                                         \
    }                                                                                                             \
    extern "C" __global__ void __launch_bounds__(256) copy_##bytes(const __grid_constant__ Elementwise<1> x) {    \
        EACH(i, x.walk.elements) {                                                                                \
            u64 at[1];                                                                                            \
            locate(x.walk, i, at);                                                                                \
            ((T*)x.out)[i] = ((const T*)x.in[0])[at[0]];                                                          \
        }                                                                                                         \
    }
BY_SIZE(1, u8)
BY_SIZE(2, u16)
BY_SIZE(4, u32)
BY_SIZE(8, u64)

// `op` is the type of the input, `to` that of the output.
extern "C" __global__ void __launch_bounds__(256) cast(const __grid_constant__ Elementwise<1> x) {
    EACH(i, x.walk.elements) {
        u64 at[1];
        locate(x.walk, i, at);
        store(x.to, x.out, i, encode(x.to, decode(x.op, x.in[0], at[0])));
    }
}

struct Fill {
    void* out;
    u64 elements;
    Number start;
    Number step;
    u32 dtype;
    u32 unused;
};

static_assert(sizeof(Fill) == 72, "as on the host");

extern "C" __global__ void __launch_bounds__(256) fill(const __grid_constant__ Fill x) {
    u64 bits = encode(x.dtype, x.start);
    EACH(i, x.elements) store(x.dtype, x.out, i, bits);
}

// The kind of both numbers is that of the type. Floats: the product is rounded and then the sum.
extern "C" __global__ void __launch_bounds__(256) arange(const __grid_constant__ Fill x) {
    EACH(i, x.elements) {
        Number value = x.start.kind == REAL
            ? number(__dadd_rn(x.start.real, __dmul_rn((double)i, x.step.real)))
            : number(add_wrapping(x.start.whole, mul_wrapping(x.step.whole, (i64)i)));
        store(x.dtype, x.out, i, encode(x.dtype, value));
    }
}
