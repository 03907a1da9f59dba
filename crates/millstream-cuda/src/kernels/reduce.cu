// Reductions by a tree that the number of reduced elements alone decides: up to 1024 elements one warp, above it chunks of a fixed size, each by one
// block, and one more tree over the chunks. Whether a block goes through the chunks of a result itself or the last of many blocks joins
// what the others left in scratch changes no bit.

struct Reduce {
    void* out;
    const void* a;
    void* partials;
    u32* counters;
    u64 outputs;
    u64 each;
    u64 chunk;
    u32 chunks;
    u32 mean;
    u32 split;
    u32 unused;
    Walk<1> walk;
};

static_assert(sizeof(Reduce) == 152, "as on the host");

#define THREADS 256
#define CHUNKS_MAX 256

template <class C> DEVICE C lowest();
template <> DEVICE float lowest<float>() { return __int_as_float(0xff800000); }
template <> DEVICE double lowest<double>() { return __longlong_as_double(0xfff0000000000000ll); }
template <> DEVICE i64 lowest<i64>() { return (i64)0x8000000000000000ull; }

DEVICE float plus(float x, float y) { return x + y; }
DEVICE double plus(double x, double y) { return x + y; }
DEVICE i64 plus(i64 x, i64 y) { return add_wrapping(x, y); }
DEVICE float over(float x, u64 n) { return __fdiv_rn(x, (float)n); }
DEVICE double over(double x, u64 n) { return __ddiv_rn(x, (double)n); }
DEVICE i64 over(i64 x, u64) { return x; }

// Sums of floats keep their type, sums of others are i64.
template <class T, class R> struct SumFold {
    typedef T From;
    typedef typename As<T>::C State;
    static DEVICE State start() { return State(0); }
    static DEVICE State lift(State x, u64) { return x; }
    static DEVICE State join(State x, State y) { return plus(x, y); }
    static DEVICE void put(const Reduce& r, u64 i, State x) {
        ((R*)r.out)[i] = As<R>::put(r.mean ? over(x, r.each) : x);
    }
};

template <class T> struct MaxFold {
    typedef T From;
    typedef typename As<T>::C State;
    static DEVICE State start() { return lowest<State>(); }
    static DEVICE State lift(State x, u64) { return x; }
    // NaN above all; of two zeros the sum, which is -0 only for two of them.
    static DEVICE State join(State x, State y) {
        if (x != x) return x;
        if (y != y) return y;
        return x > y ? x : y > x ? y : x == State(0) ? x + y : x;
    }
    static DEVICE void put(const Reduce& r, u64 i, State x) { ((T*)r.out)[i] = As<T>::put(x); }
};

template <class C> struct Place {
    C value;
    u64 index;
};
template <class T> struct ArgMaxFold {
    typedef T From;
    typedef Place<typename As<T>::C> State;
    static DEVICE State start() { State s = {lowest<typename As<T>::C>(), ~0ull}; return s; }
    static DEVICE State lift(typename As<T>::C x, u64 index) { State s = {x, index}; return s; }
    static DEVICE State join(State x, State y) {
        bool x_nan = x.value != x.value, y_nan = y.value != y.value;
        bool above = y_nan ? !x_nan : !x_nan && y.value > x.value;
        bool same = (x_nan && y_nan) || x.value == y.value;
        return above || (same && y.index < x.index) ? y : x;
    }
    static DEVICE void put(const Reduce& r, u64 i, State x) { ((u64*)r.out)[i] = x.index; }
};

template <class S> DEVICE S from_lane_below(S x, int distance) {
    const int words = sizeof(S) / 4;
    union { S state; u32 word[words]; } all;
    all.state = x;
    #pragma unroll
    for (int w = 0; w < words; w++) all.word[w] = __shfl_down_sync(~0u, all.word[w], distance);
    return all.state;
}

template <class F> DEVICE typename F::State join_warp(typename F::State x) {
    #pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) x = F::join(x, from_lane_below(x, distance));
    return x;
}

// The join of a block's states, at thread 0. All threads call it.
template <class F> DEVICE typename F::State join_block(typename F::State x) {
    __shared__ typename F::State warps[THREADS / 32];
    x = join_warp<F>(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
    __syncthreads();
    if (threadIdx.x < 32) x = join_warp<F>(threadIdx.x < THREADS / 32 ? warps[threadIdx.x] : F::start());
    return x;
}

// One function for all: inlined everywhere it would be most of the code.
static __device__ __noinline__ u64 place_of(const Walk<1>& walk, u64 i) {
    u64 at[1];
    locate(walk, i, at);
    return at[0];
}

// What a thread joins: every `step`th element of a result from `from` on.
template <class F> DEVICE typename F::State join_own(const Reduce& r, u64 output, u64 from, u64 end, u32 step) {
    typedef typename F::From From;
    typename F::State s = F::start();
    if (r.walk.dense) {
        const From* a = (const From*)r.a + output * r.each;
        #pragma unroll 8
        for (u64 i = from; i < end; i += step) s = F::join(s, F::lift(As<From>::get(a[i]), i));
    } else {
        #pragma unroll 1
        for (u64 i = from; i < end; i += step) {
            u64 at = place_of(r.walk, output * r.each + i);
            s = F::join(s, F::lift(As<From>::get(((const From*)r.a)[at]), i));
        }
    }
    return s;
}

// Chunk `c` of a result, at thread 0.
template <class F> DEVICE typename F::State chunk_of(const Reduce& r, u64 output, u64 c) {
    u64 end = min(r.each, (c + 1) * r.chunk);
    return join_block<F>(join_own<F>(r, output, c * r.chunk + threadIdx.x, end, THREADS));
}

// Up to 1024 elements a result: a warp each.
template <class F> DEVICE void reduce_rows(const Reduce& r) {
    u64 warps = (u64)gridDim.x * (THREADS / 32);
    for (u64 output = (u64)blockIdx.x * (THREADS / 32) + threadIdx.x / 32; output < r.outputs; output += warps) {
        typename F::State s = join_warp<F>(join_own<F>(r, output, threadIdx.x % 32, r.each, 32));
        if (threadIdx.x % 32 == 0) F::put(r, output, s);
    }
}

// Above: `split` says whether each chunk has a block of its own, the last of which joins, or a block goes through all chunks of a result.
// The counters are zero before and after.
template <class F> DEVICE void reduce_chunks(const Reduce& r) {
    typedef typename F::State State;
    constexpr int words = sizeof(State) / 4;
    union Words { State state; u32 word[words]; };
    __shared__ State partials[CHUNKS_MAX];
    __shared__ u32 arrived;
    u32 first = r.split ? blockIdx.x % r.chunks : 0, end = r.split ? first + 1 : r.chunks;
    u64 step = r.split ? r.outputs : gridDim.x;
    for (u64 output = r.split ? blockIdx.x / r.chunks : blockIdx.x; output < r.outputs; output += step) {
        for (u32 c = first; c < end; c++) {
            State s = chunk_of<F>(r, output, c);
            if (threadIdx.x == 0) partials[c] = s;
        }
        Words all;
        if (r.split) {
            volatile u32* shared_out = (volatile u32*)((State*)r.partials + output * r.chunks);
            if (threadIdx.x == 0) {
                all.state = partials[first];
                #pragma unroll
                for (int w = 0; w < words; w++) shared_out[first * words + w] = all.word[w];
                __threadfence();
                arrived = atomicAdd(r.counters + output, 1u);
            }
            __syncthreads();
            if (arrived != r.chunks - 1) return;
            __threadfence();
            all.state = F::start();
            if (threadIdx.x < r.chunks) {
                #pragma unroll
                for (int w = 0; w < words; w++) all.word[w] = shared_out[threadIdx.x * words + w];
            }
        } else {
            __syncthreads();
            all.state = threadIdx.x < r.chunks ? partials[threadIdx.x] : F::start();
        }
        State s = join_block<F>(all.state);
        if (threadIdx.x == 0) {
            F::put(r, output, s);
            if (r.split) r.counters[output] = 0;
        }
    }
}

#define REDUCE(name, ...)                                                                                            \
    extern "C" __global__ void __launch_bounds__(THREADS) rows_##name(const __grid_constant__ Reduce r) {            \
        reduce_rows<__VA_ARGS__>(r);                                                                                 \
    }                                                                                                                \
    extern "C" __global__ void __launch_bounds__(THREADS) chunks_##name(const __grid_constant__ Reduce r) {          \
        reduce_chunks<__VA_ARGS__>(r);                                                                               \
    }
#define REDUCES(name, T, R)               \
    REDUCE(sum_##name, SumFold<T, R>)     \
    REDUCE(max_##name, MaxFold<T>)        \
    REDUCE(argmax_##name, ArgMaxFold<T>)
REDUCES(f32, float, float)
REDUCES(f64, double, double)
REDUCES(f16, f16, f16)
REDUCES(bf16, bf16, bf16)
REDUCES(i64, i64, i64)
REDUCES(u8, u8, i64)
REDUCES(bool, truth, i64)

struct Fingerprint {
    u64* out;
    const u8* a;
    u64 bytes;
    u64* sum;
    u32* counter;
};

static_assert(sizeof(Fingerprint) == 40, "as on the host");

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over word and position.
DEVICE u64 mixed(u64 index, u32 word) {
    u64 z = ((u64)word | index << 32) + 0x9e3779b97f4a7c15ull + (index >> 32);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

// A wrapping sum: no order of the blocks changes it. Sum and counter are zero before and after.
extern "C" __global__ void __launch_bounds__(THREADS) fingerprint(const __grid_constant__ Fingerprint x) {
    u64 words = x.bytes / 4;
    u64 sum = 0;
    if (((u64)x.a & 3) == 0) {
        EACH(i, words) sum += mixed(i, ((const u32*)x.a)[i]);
    } else {
        EACH(i, words) {
            const u8* b = x.a + 4 * i;
            sum += mixed(i, (u32)b[0] | (u32)b[1] << 8 | (u32)b[2] << 16 | (u32)b[3] << 24);
        }
    }
    u64 tail = x.bytes % 4;
    if (tail != 0 && blockIdx.x == 0 && threadIdx.x == 0) {
        u32 word = 0;
        for (u64 j = tail; j > 0; j--) word = word << 8 | x.a[4 * words + j - 1];
        sum += mixed(words | tail << 62, word);
    }
    i64 all = join_block<SumFold<i64, i64> >((i64)sum);
    if (threadIdx.x != 0) return;
    atomicAdd(x.sum, (u64)all);
    __threadfence();
    if (atomicAdd(x.counter, 1u) != gridDim.x - 1) return;
    __threadfence();
    *x.out = atomicExch(x.sum, 0ull);
    *x.counter = 0;
}
